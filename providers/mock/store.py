# SPDX-License-Identifier: MIT
"""The users in memory, with the indexes by which they are found.

Nothing here waits, so each method is atomic on the event loop: that is how concurrent changes lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain.errors import UserNotFound, fail
from app.domain.spellings import comparable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.domain.users import Address, User


@dataclass(slots=True)
class Entry:
    """A user, the password (None: any will do), and the ids of the e-mail identities that are aliases."""

    user: User
    password: str | None = None
    aliases: frozenset[str] = frozenset()


class Store:
    """The users, and who has which address, username, subject and token."""

    def __init__(self, entries: Iterable[tuple[Entry, str]]) -> None:
        """Take the users with their tokens (the empty string for none)."""
        self._by_subject: dict[str, Entry] = {}
        self._by_username: dict[str, Entry] = {}
        self._by_token: dict[str, Entry] = {}
        self._by_primary: dict[str, Entry] = {}
        self._by_alternate: dict[str, Entry] = {}
        for entry, token in entries:
            self._by_subject[entry.user.user_id] = entry
            if entry.user.username:
                self._by_username[entry.user.username] = entry
            if token:
                self._by_token[token] = entry
        self._index_addresses()

    def by_subject(self, subject: str) -> Entry:
        """Return the user with that subject identifier. Raises UserNotFound."""
        return self._by_subject.get(subject) or fail(UserNotFound)

    def by_username(self, username: str) -> Entry:
        """Return the user with that username. Raises UserNotFound."""
        return self._by_username.get(username) or fail(UserNotFound)

    def by_token(self, token: str) -> Entry | None:
        """Return the user whose token that is."""
        return self._by_token.get(token)

    def by_primary(self, address: Address) -> Entry:
        """Return the user whose primary e-mail that is. Raises UserNotFound."""
        return self._by_primary.get(comparable(address)) or fail(UserNotFound)

    def by_alternate(self, address: Address) -> Entry:
        """Return the user who has that verified e-mail identity. Raises UserNotFound."""
        return self._by_alternate.get(comparable(address)) or fail(UserNotFound)

    def owner(self, address: Address) -> Entry | None:
        """Return who has the address, as primary or verified alternate."""
        key = comparable(address)
        return self._by_primary.get(key) or self._by_alternate.get(key)

    def identity_owner(self, provider: str, identity_id: str) -> Entry | None:
        """Return who has that identity, or is it: an account is its own identity, listed or not."""
        account = self._by_subject.get(f"{provider}|{identity_id}")
        return account or next((e for e in self._by_subject.values() if e.user.identity(provider, identity_id)), None)

    def change(self, subject: str, change: Callable[[User], User]) -> Entry:
        """Replace a user by what `change` makes of the user. Raises UserNotFound."""
        entry = self.by_subject(subject)
        before = entry.user
        entry.user = change(before)
        if (before.primary_email, before.identities) != (entry.user.primary_email, entry.user.identities):
            self._index_addresses()
        return entry

    def _index_addresses(self) -> None:
        self._by_primary.clear()
        self._by_alternate.clear()
        for entry in self._by_subject.values():
            if entry.user.primary_email:
                self._by_primary.setdefault(comparable(entry.user.primary_email), entry)
            for identity in entry.user.alternate_emails:
                if identity.email_verified:
                    self._by_alternate.setdefault(comparable(identity.email), entry)
