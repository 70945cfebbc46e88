# SPDX-License-Identifier: MIT
"""Passwords of the tenant's own users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from app.domain.errors import (
    Fault,
    IncorrectPassword,
    NoDatabaseUser,
    PasswordTooWeak,
    PasswordUpdateFailed,
    ResetLinkFailed,
    TooManyAttempts,
)
from providers.auth0.mapping import DATABASE
from providers.auth0.sign_in import access_token
from providers.auth0.tenant import errors
from providers.auth0.tenant.calls import Call, Kind

if TYPE_CHECKING:
    from app.domain.tokens import Caller
    from app.domain.users import Address
    from providers.auth0.management import Management
    from providers.auth0.sign_in import ProfileClient
    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.client import TenantClient

GRANT: Final = "http://auth0.com/oauth/grant-type/password-realm"
_CHECK: Final = Kind("check_password", once=True)
_RESET: Final = Kind("send_reset_link", writes=True, json=False)
_ANSWERS: Final = frozenset((errors.UNAUTHORIZED, errors.FORBIDDEN, errors.TOO_MANY))
_REFUSALS: Final = re.compile(r"Password\w{0,40}Error|password is too weak|password_\w", re.IGNORECASE)


class Auth0Passwords:
    """Changes passwords, after checking the current one by signing in with it."""

    def __init__(self, tenant: TenantClient, management: Management, client: ProfileClient) -> None:
        """Take what calls the tenant, the Management API, and the application in whose name users sign in."""
        self._tenant = tenant
        self._management = management
        self._client = client

    async def change(self, caller: Caller, current: str, new: str) -> None:
        """Set the password. Raises NoDatabaseUser, IncorrectPassword, TooManyAttempts, PasswordTooWeak."""
        user = await self._management.get(caller.subject)
        if not user.username or not user.has_database_identity:
            raise NoDatabaseUser
        await self._check(user.username, current)
        answer = await self._management.update(
            caller.subject,
            {"password": new, "connection": DATABASE},
            fallback=PasswordUpdateFailed,
            passes=frozenset((errors.BAD_REQUEST,)),
        )
        if not answer.ok:
            raise _refusal(answer)

    async def _check(self, username: str, password: str) -> None:
        """Sign in; only a token shows that the password is right."""
        answer = await self._tenant.call(
            Call(
                kind=_CHECK,
                method="POST",
                path="/oauth/token",
                json={
                    **self._client.fields(),
                    "grant_type": GRANT,
                    "realm": DATABASE,
                    "username": username,
                    "password": password,
                },
                anonymous=True,
                fallback=PasswordUpdateFailed,
                special={errors.NOT_FOUND: PasswordUpdateFailed},
                passes=_ANSWERS,
            )
        )
        if answer.ok:
            access_token(_CHECK.name, answer)
            return
        if answer.status == errors.TOO_MANY:
            raise TooManyAttempts
        if not errors.refuses_application(_CHECK.name, answer):
            raise IncorrectPassword
        if errors.refuses_secret(answer):  # callers know a 401 by that string
            raise IncorrectPassword().blamed_on(Fault.UPSTREAM)
        raise PasswordUpdateFailed


def _refusal(answer: Answer) -> PasswordTooWeak | PasswordUpdateFailed:
    text = answer.text_of("message", "error", "errorCode", "name", "code")
    return PasswordTooWeak() if _REFUSALS.search(text) else PasswordUpdateFailed().blamed_on(Fault.CALLER)


class Auth0ResetLinks:
    """Sends password reset links, as LFX One."""

    def __init__(self, tenant: TenantClient, client_id: str) -> None:
        """Take what calls the tenant, and the application on whose page the link ends."""
        self._tenant = tenant
        self._client_id = client_id

    async def send(self, address: Address) -> None:
        """Mail a link. Raises ResetLinkFailed."""
        await self._tenant.call(
            Call(
                kind=_RESET,
                method="POST",
                path="/dbconnections/change_password",
                json={"client_id": self._client_id, "email": address, "connection": DATABASE},
                anonymous=True,
                fallback=ResetLinkFailed,
                special={errors.NOT_FOUND: ResetLinkFailed},
            )
        )
