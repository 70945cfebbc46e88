# SPDX-License-Identifier: MIT
"""The owner of a social identity. An account claims it before its record has it, so that two accounts never both do."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from app.domain.codes import StaleRevision
from providers.authelia.storage import records
from providers.authelia.storage.lookup_keys import is_recent

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.authelia.storage.kv import Open
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users


class SocialClaims:
    """Claims of social identities. They matter while somebody links; later the records tell whose it is."""

    def __init__(self, users: Users, claims: Open, now: Callable[[], float] = time.time) -> None:
        """Take the users, the bucket, and the clock that ages claims (Unix seconds)."""
        self._users = users
        self._claims = claims
        self._now = now

    async def claim(self, username: str, provider: str, identity_id: str) -> bool:
        """Claim the identity for the user; False when it is somebody else's, or about to be. Raises StorageFull."""
        bucket = await self._claims()

        def has_it(record: Record) -> bool:
            return records.user(before, record).identity(provider, identity_id) is not None

        async def lost() -> bool:
            named = before not in ("", username) and records.is_username(before)
            return not named or await self._users.shut_out(before, has_it)

        while True:
            entry = await bucket.get(_key(provider, identity_id))
            before = "" if entry.value is None else entry.value.decode("utf-8", "replace")
            if (before not in ("", username) and is_recent(entry, self._now())) or not await lost():
                return False
            try:
                revision = await bucket.add(_key(provider, identity_id), username.encode(), entry.revision)
            except StaleRevision:
                continue
            break

        if not await lost() or await self._is_elsewhere(username, provider, identity_id):
            await self.release(username, provider, identity_id, revision)
            return False
        return True

    async def revision_of(self, provider: str, identity_id: str) -> int:
        """Return the revision of the claim, to be asked for before the record loses the identity."""
        return (await (await self._claims()).get(_key(provider, identity_id))).revision

    async def release(self, username: str, provider: str, identity_id: str, revision: int) -> None:
        """Take the user's claim of that revision back; a newer one stays, and somebody else's."""
        bucket = await self._claims()
        entry = await bucket.get(_key(provider, identity_id))
        if entry.value == username.encode():
            with suppress(StaleRevision):
                await bucket.delete(_key(provider, identity_id), revision)

    async def is_claimed_by(self, username: str, provider: str, identity_id: str) -> bool:
        """Whether the claim still stands, once the record has the identity."""
        return (await (await self._claims()).get(_key(provider, identity_id))).value == username.encode()

    async def _is_elsewhere(self, username: str, provider: str, identity_id: str) -> bool:
        """Whether anybody else has that identity: a walk through all users, since development clusters have few."""
        for other in await self._users.usernames():
            record = None if other == username else await self._users.find(other)
            if record is not None and records.user(other, record).identity(provider, identity_id):
                return True
        return False


def without_social(record: Record, provider: str, identity_id: str) -> Record:
    """Return the record without that identity."""
    entries = records.objects(record, "identities")
    left = [e for e in entries if (e.get("provider"), records.identifier(e)) != (provider, identity_id)]
    return {**record, "identities": left}


def _key(provider: str, identity_id: str) -> str:
    return f"social/{hashlib.sha256(f'{provider}|{identity_id}'.encode()).hexdigest()}"
