# SPDX-License-Identifier: MIT
"""What the users file brings into storage: users who are not there, and the address of one who has none there."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from providers.authelia.cluster.skipping import log_skipped
from providers.authelia.storage import records
from providers.authelia.storage.kv import StorageFull, Unreadable
from providers.authelia.storage.users import AddressHeld

if TYPE_CHECKING:
    from app.domain.users import Address
    from providers.authelia.cluster.users_file import UsersFile
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users


class Imports:
    """Brings the users of the file into storage. Where storage has an address, it wins."""

    def __init__(self, users: Users) -> None:
        """Take the users in storage."""
        self._users = users
        self.skipped = 0
        """Of how many the last run left something out."""

    async def run(self, file: UsersFile) -> None:
        """Store what is missing. Raises ProviderUnavailable."""
        skipped = 0
        for username in file.usernames():
            with suppress(Unreadable):
                if why := await self._trouble(file, username):
                    log_skipped(username, why)
                    skipped += 1
        self.skipped = skipped

    async def _trouble(self, file: UsersFile, username: str) -> str:
        """Store the user; return what could not be stored, if anything."""
        if not records.is_username(username):
            return "the name in the users file can be no key"
        email, displayname = file.describe(username)
        record = await self._users.find(username)
        if record is not None and _email(record):
            return ""
        try:
            if record is None:
                await self._users.create(username, email or records.address(""), displayname)
            elif email:
                await self._give(username, email)
        except AddressHeld:
            return "the address in the users file is taken"
        except StorageFull:
            return "the bucket is full"
        return "the address in the users file is none" if email is None else ""

    async def _give(self, username: str, email: Address) -> None:
        """Give the address to a user who has none. Raises AddressHeld, StorageFull."""
        revision = await self._users.claim(username, email)
        try:
            record = await self._users.gain(username, email, lambda record: _with_email(record, email))
        except StorageFull:
            await self._users.release(username, email, revision)
            raise
        if not records.holds(record, email):  # there is another by now
            await self._users.release(username, email, revision)


def _email(record: Record) -> Address:
    return records.address(records.text(record, "email"))


def _with_email(record: Record, email: Address) -> Record:
    return record if _email(record) else records.without_alternate({**record, "email": email}, email)
