# SPDX-License-Identifier: MIT
"""Tokens of the mock provider: a user's own, or any JWT by its subject, unverified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from app.domain.errors import InvalidToken, TokenExpired, fail
from app.domain.identity_tokens import unverified_claims
from app.domain.tokens import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.mock.store import Store


class MockCallers:
    """Takes a token at its word."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        """Take the users and the clock (Unix seconds)."""
        self._store = store
        self._now = now

    async def verify(self, token: str, *, scope: str) -> Caller:  # noqa: ARG002 - the mock's tokens have no scopes
        """Return whoever the token names. Raises InvalidToken, TokenExpired."""
        return Caller(self.subject_of(token) or fail(InvalidToken), SecretStr(token))

    def subject_of(self, token: str) -> str | None:
        """Return the subject that a token names, None when it is no token. Raises InvalidToken, TokenExpired."""
        if (entry := self._store.by_token(token)) is not None:
            return entry.user.user_id
        claims = unverified_claims(token)
        if claims is None:
            return None
        subject, expires = claims.get("sub"), claims.get("exp")
        if not isinstance(subject, str) or not subject.strip():
            raise InvalidToken
        if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int | float)):
            raise InvalidToken
        if expires is not None and expires <= self._now():
            raise TokenExpired
        return subject
