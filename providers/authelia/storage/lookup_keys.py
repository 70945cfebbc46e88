# SPDX-License-Identifier: MIT
"""Keys that name a user: lookup keys, of an address or a subject identifier, and claims of social identities."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from app.domain.codes import StaleRevision
from app.domain.errors import ProviderUnavailable
from providers.authelia.storage import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.authelia.storage.kv import Entry, Open

CLAIM_TIME: Final = 60.0
"""Seconds for which a lookup key that its user's record does not bear out is left alone: the user may be at work."""


@dataclass(frozen=True, slots=True)
class LookupKeys:
    """The keys, each written and removed by compare-and-set; `now` ages them (Unix seconds).

    `before` of an entry is a user whom the key has named, and who may have a write of the record under way. No other
    write of what the key stands for can be, but where there is no such user: of whom the key names.
    """

    bucket: Open
    now: Callable[[], float]
    keep_room: bool = False
    """Whether a full bucket refuses claims, so that it has room for everything else."""

    async def read(self, key: str) -> tuple[str | None, Entry]:
        """Return the username that stands under the key, None for what is none, and the entry."""
        entry = await (await self.bucket()).get(key)
        return _named(entry), entry if records.is_username(entry.before) else replace(entry, before="")

    async def point(self, key: str, username: str, revision: int, before: str = "") -> int:
        """Let the key, read at that revision, name the user; return the new revision. Raises StaleRevision.

        Written again even when it does: a removal that is under way must notice.
        """
        bucket = await self.bucket()
        return await (bucket.add if self.keep_room else bucket.put)(key, username.encode(), revision, before)

    async def drop(self, key: str, entry: Entry, revision: int | None = None) -> None:
        """Remove the key, unless it was written since the entry or that revision: then somebody has use for it.

        One that cannot be removed stays for the next who reads it: nobody believes it.
        """
        with suppress(StaleRevision, ProviderUnavailable):
            before = entry.before or _named(entry) or ""
            await (await self.bucket()).delete(key, entry.revision if revision is None else revision, before)

    async def stands(self, key: str, username: str) -> bool:
        """Whether the key names the user, and nobody before has a write under way."""
        pointed, entry = await self.read(key)
        return pointed == username and not entry.before

    def is_fresh(self, entry: Entry) -> bool:
        """Whether it was written less than a minute before or after now.

        The server's clock and the reader's may differ. A time more than a minute ahead is not recent; otherwise it
        would stay recent for as long as they differ.
        """
        return entry.written is not None and abs(self.now() - entry.written.timestamp()) < CLAIM_TIME


def _named(entry: Entry) -> str | None:
    username = None if entry.value is None else entry.value.decode("utf-8", "replace").strip()
    return username if username and records.is_username(username) else None
