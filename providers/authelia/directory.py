# SPDX-License-Identifier: MIT
"""Finding users in storage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from app.domain.errors import UserNotFound, fail
from app.domain.lookups import is_reference
from app.domain.reads import Meant
from providers.authelia.callers import TOKEN_PREFIX
from providers.authelia.storage import records

if TYPE_CHECKING:
    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.authelia.callers import AutheliaCallers
    from providers.authelia.storage.users import Users

_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class AutheliaDirectory:
    """Finds users by address, subject identifier, username or token; every search is fresh."""

    def __init__(self, users: Users, callers: AutheliaCallers) -> None:
        """Take the users and who knows tokens."""
        self._users = users
        self._callers = callers

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:  # noqa: ARG002 - see above
        """Find the user who has `address` as the primary e-mail or as a verified alternate.

        In one read: between two, the primary e-mail and an alternate may change places.
        """
        return records.user(*(await self._users.holder(address) or fail(UserNotFound)))

    async def of_caller(self, caller: Caller) -> User:
        """Find the account that a verified token speaks for: the one of its `preferred_username`."""
        return await self.by_username(caller.username)

    async def by_subject(self, subject: str) -> User:
        """Find the user with that subject identifier, stored or derived."""
        return records.user(*(await self._users.subjects.owner(subject) or fail(UserNotFound)))

    async def by_username(self, username: str) -> User:
        """Find the user with that username."""
        return records.user(username, await self._users.get(username))

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject (a UUID, or with `|`) or a username."""
        return await self.find(self.named(reference) or await self.of_token(reference))

    def named(self, reference: str) -> Meant | None:
        """Return whom a subject identifier or a username means; None for a token. Raises UserNotFound."""
        if reference.startswith(TOKEN_PREFIX):
            return None
        if not is_reference(reference):
            raise UserNotFound
        if "|" in reference or _UUID.fullmatch(reference):
            return Meant(subject=reference)
        return Meant(username=reference)

    async def of_token(self, token: str) -> Meant:
        """Verify the token, return the account that it speaks for, and the subject identifier that it has there."""
        return await self._callers.meant_by(token)

    async def find(self, meant: Meant) -> User:
        """Find the user who is meant. A subject identifier that comes with a username is stored."""
        if not meant.username:
            return await self.by_subject(meant.subject)
        return records.user(meant.username, await self._callers.account(meant.username, meant.subject))


class AutheliaSubjects:
    """Knows the subject identifiers that Authelia gave out."""

    def __init__(self, users: Users) -> None:
        """Take the users."""
        self._users = users

    async def of_username(self, username: str) -> str | None:
        """Return the stored subject identifier of that user, None when there is none."""
        if not records.is_username(username):
            return None
        record = await self._users.find(username)
        return None if record is None else records.text(record, "sub").strip() or None
