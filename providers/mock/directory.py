# SPDX-License-Identifier: MIT
"""Finding users in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import UserNotFound
from app.domain.lookups import ByEmail

if TYPE_CHECKING:
    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.mock.callers import MockCallers
    from providers.mock.store import Store


class MockDirectory(ByEmail):
    """Finds users in memory."""

    def __init__(self, store: Store, callers: MockCallers) -> None:
        """Take the users and who knows tokens."""
        self._store = store
        self._callers = callers

    async def by_primary_email(self, address: Address, *, fresh: bool = False) -> User:  # noqa: ARG002 - always is
        """Find the user whose primary e-mail `address` is."""
        return self._store.by_primary(address).user

    async def by_alternate_email(self, address: Address, *, fresh: bool = False) -> User:  # noqa: ARG002 - always is
        """Find the user who has `address` as a verified e-mail identity."""
        return self._store.by_alternate(address).user

    async def of_caller(self, caller: Caller) -> User:
        """Find the account that a token speaks for."""
        return await self.by_subject(caller.subject)

    async def by_subject(self, subject: str) -> User:
        """Find the user with that subject identifier."""
        return self._store.by_subject(subject).user

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject (contains `|`), an e-mail (contains `@`) or a username."""
        subject = self._callers.subject_of(reference)
        if subject is not None:
            return self._store.by_subject(subject).user
        if "|" in reference:
            return self._store.by_subject(reference).user
        if "@" in reference:
            return await self.by_email(parse_address(reference, UserNotFound))
        return self._store.by_username(reference).user
