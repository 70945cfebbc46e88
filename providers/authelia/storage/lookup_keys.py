# SPDX-License-Identifier: MIT
"""The lookup keys in the bucket of users: from an address, or a subject identifier, to a username."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
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
    """The keys, each written and removed by compare-and-set; `now` ages them (Unix seconds)."""

    bucket: Open
    now: Callable[[], float]

    async def read(self, key: str) -> tuple[str | None, Entry]:
        """Return the username that stands under the key, None for what is none, and the entry."""
        entry = await (await self.bucket()).get(key)
        username = None if entry.value is None else entry.value.decode("utf-8", "replace").strip()
        return (username if username and records.is_username(username) else None), entry

    async def point(self, key: str, username: str, revision: int) -> int:
        """Let the key, read at that revision, name the user; return the new revision. Raises StaleRevision.

        Written again even when it does: a removal that is under way must notice.
        """
        return await (await self.bucket()).put(key, username.encode(), revision)

    async def drop(self, key: str, revision: int) -> None:
        """Remove the key, unless it was written since that revision: then somebody has use for it.

        One that cannot be removed stays for the next who reads it: nobody believes it.
        """
        with suppress(StaleRevision, ProviderUnavailable):
            await (await self.bucket()).delete(key, revision)

    def is_fresh(self, entry: Entry) -> bool:
        """Whether it was written less than a minute ago; see `is_recent`."""
        return is_recent(entry, self.now())


def is_recent(entry: Entry, now: float) -> bool:
    """Whether the entry was written less than a minute before or after `now` (Unix seconds).

    The server's clock and the reader's may differ. A time more than a minute ahead is not recent; otherwise it would
    stay recent for as long as they differ. The writer checks again when it has what it claims.
    """
    return entry.written is not None and abs(now - entry.written.timestamp()) < CLAIM_TIME
