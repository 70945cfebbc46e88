# SPDX-License-Identifier: MIT
"""Finding users of the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.errors import UserNotFound, fail
from app.domain.lookups import ByEmail, is_reference
from app.domain.reads import Meant
from app.domain.spellings import forms, same
from app.domain.subject_ids import derive
from providers.auth0.mapping import to_user
from providers.auth0.tokens.jws import looks_like_token

if TYPE_CHECKING:
    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.auth0.management import Management
    from providers.auth0.mapping import WireUser
    from providers.auth0.tokens.verifier import Tokens


class Auth0Directory(ByEmail):
    """Finds users. What a search gives is compared again: the tenant's index lags behind its users."""

    def __init__(self, management: Management, tokens: Tokens) -> None:
        """Take the Management API and what verifies tokens."""
        self._management = management
        self._tokens = tokens

    async def by_primary_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user with the database connection whose e-mail `address` is.

        The tenant's `users-by-email` is current but compares case, and addresses of other identity providers may have
        capitals. Its search ignores case but is delayed: whom it lists under a form that was requested has moved.
        """
        users = await self._management.by_email(address, shared=not fresh)
        found = _with_primary(users, address)
        if found is None:
            users = await self._management.search_email("email", address, shared=not fresh)
            asked = forms(address)
            found = _with_primary([user for user in users if user.email not in asked], address)
        return to_user(found or fail(UserNotFound))

    async def by_alternate_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user who has `address` as a verified e-mail identity."""
        users = await self._management.search_email("identities.profileData.email", address, shared=not fresh)
        found = (to_user(user) for user in users)
        return next((user for user in found if _is_verified_alternate(user, address)), None) or fail(UserNotFound)

    async def of_caller(self, caller: Caller) -> User:
        """Find the account that a verified token speaks for."""
        return await self.by_subject(caller.subject)

    async def by_subject(self, subject: str) -> User:
        """Find the user with that subject identifier."""
        return to_user(await self._management.get(subject))

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject identifier (contains `|`) or a username."""
        return await self.find(self.named(reference) or await self.of_token(reference))

    def named(self, reference: str) -> Meant | None:
        """Return whom a subject identifier or a username means; None for a token."""
        if looks_like_token(reference):
            return None
        if not is_reference(reference):
            raise UserNotFound
        return Meant(subject=reference) if "|" in reference else Meant(username=reference)

    async def of_token(self, token: str) -> Meant:
        """Verify the token, return whom it speaks for."""
        return Meant(subject=await self._tokens.subject_of(token))

    async def find(self, meant: Meant) -> User:
        """Find the user who is meant."""
        if meant.username:
            return await self._by_username(meant.username)
        return to_user(await self._management.get(meant.subject, shared=True))

    async def _by_username(self, username: str) -> User:
        users = await self._management.search("identities.user_id", username, shared=True)
        named = next((user for user in users if user.is_called(username)), None)
        if named is not None:
            return to_user(named)
        subject = derive(username)
        if subject.endswith(f"|{username}"):
            raise UserNotFound
        # A username that is unsafe as an id is one that no identity has; its user is found as `username_to_sub` says.
        return to_user(await self._management.get(subject, shared=True))


def _is_verified_alternate(user: User, address: Address) -> bool:
    identity = user.email_identity(address)
    return identity is not None and identity.email_verified


def _with_primary(users: list[WireUser], address: Address) -> WireUser | None:
    return next((user for user in users if same(user.email, address) and user.has_database_identity), None)
