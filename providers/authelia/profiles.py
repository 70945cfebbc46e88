# SPDX-License-Identifier: MIT
"""Changing metadata and the primary e-mail in storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.errors import NotLinked
from app.domain.spellings import same
from providers.authelia.storage import records
from providers.authelia.storage.claims import claimed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users


class AutheliaProfiles:
    """Changes metadata."""

    def __init__(self, users: Users) -> None:
        """Take the users."""
        self._users = users

    async def update_metadata(self, caller: Caller, change: Mapping[str, str]) -> User:
        """Set the fields of `change`, return the user as stored."""

        def changed(record: Record) -> Record:
            stored = record.get("user_metadata")
            return {**record, "user_metadata": {**(stored if isinstance(stored, dict) else {}), **change}}

        return records.user(caller.username, await self._users.change(caller.username, changed))


class AutheliaAccounts:
    """Changes the primary e-mail: the new one and the old one change places."""

    def __init__(self, users: Users) -> None:
        """Take the users."""
        self._users = users

    async def set_primary(self, user: User, address: Address, *, keep: Address | None) -> None:  # noqa: ARG002 - kept
        """Make `address` the primary e-mail; the old one takes its place among the alternates, in the same write.

        Raises NotLinked, also when another account is found by the address.
        """
        # It belongs to the account already: the claim gives back a lookup key that was lost, and shows whose it is. The
        # old one stays in the record all the time, so synchronisation gives back its key.
        async with claimed(self._users, user.username, address, NotLinked):
            await self._users.change(user.username, lambda record: _swapped(record, address))


def _swapped(record: Record, address: Address) -> Record:
    primary = records.address(records.text(record, "email"))
    if same(primary, address):
        return record
    if not records.holds(record, address):
        raise NotLinked
    entries = records.alternates(record)
    others = [records.text(entry, "email") for entry in entries]
    old = [] if not primary or any(same(one, primary) for one in others) else [{"email": primary, "verified": True}]
    swapped: list[Record] = []
    for entry in entries:
        if same(records.text(entry, "email"), address):
            swapped += old
            old = []
        else:
            swapped.append(entry)
    return records.with_alternates({**record, "email": address}, [*swapped, *old])
