# SPDX-License-Identifier: MIT
"""The owner of a social identity. An account claims it before its record has it, so that two accounts never both do."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from providers.authelia.storage import records
from providers.authelia.storage.lookup_keys import LookupKeys
from providers.authelia.storage.users import AddressHeld

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
        self._keys = LookupKeys(claims, now, keep_room=True)

    async def claim(self, username: str, provider: str, identity_id: str) -> bool:
        """Claim the identity for the user; False when it is somebody else's, or about to be. Raises StorageFull."""

        def has_it(record: Record) -> bool:
            return records.user("", record).identity(provider, identity_id) is not None

        try:
            revision = await self._users.take(self._keys, _key(provider, identity_id), username, has_it)
        except AddressHeld:
            return False
        if await self._is_elsewhere(username, provider, identity_id):
            await self.release(username, provider, identity_id, revision)
            return False
        return True

    async def revision_of(self, provider: str, identity_id: str) -> int:
        """Return the revision of the claim, to be asked for before the record loses the identity."""
        return (await self._keys.read(_key(provider, identity_id)))[1].revision

    async def release(self, username: str, provider: str, identity_id: str, revision: int) -> None:
        """Take the user's claim of that revision back; a newer one stays, and somebody else's."""
        pointed, entry = await self._keys.read(_key(provider, identity_id))
        if pointed == username:
            await self._keys.drop(_key(provider, identity_id), entry, revision)

    async def is_claimed_by(self, username: str, provider: str, identity_id: str) -> bool:
        """Whether the claim stands, once the record was read that is about to have the identity."""
        return await self._keys.stands(_key(provider, identity_id), username)

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
