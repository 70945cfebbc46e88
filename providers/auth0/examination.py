# SPDX-License-Identifier: MIT
"""Looks at what the service needs of the tenant, and changes nothing there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.domain.deadline import set_deadline
from app.domain.errors import InvalidToken, ServiceError
from app.domain.findings import Finding, State, bad, good, unknown
from providers.auth0.tenant.errors import CredentialsRefused

if TYPE_CHECKING:
    from providers.auth0.tenant.budget import Budget
    from providers.auth0.tokens.credentials import Credentials
    from providers.auth0.tokens.keys import Keys

SCOPES: Final = ("create:users", "read:users", "update:users", "delete:users")
"""Of the Management API: what the service's own token is used for."""

EVENTS_SCOPE: Final = "read:events"
"""Needed besides where the tenant's events are followed."""

_KEY_SET: Final = "Auth0 key set"
_TOKEN: Final = "Auth0 token"  # noqa: S105 - the name of a row
_NO_KEY: Final = "-"


async def examine(
    keys: Keys, credentials: Credentials, budget: Budget, scopes: tuple[str, ...] = SCOPES
) -> list[Finding]:
    """Fetch the key set and a token; a short outage is waited for, as for a request."""
    set_deadline(budget.background())
    key_set, token = await asyncio.gather(_key_set(keys), _token(credentials))
    return [key_set, token, *(_scope(scope, token, credentials.granted) for scope in scopes)]


async def _key_set(keys: Keys) -> Finding:
    try:
        await keys.find(_NO_KEY)
    except InvalidToken:  # there is a set, without that key
        return good(_KEY_SET, "had, with a key for RS256")
    except ServiceError as error:
        return bad(_KEY_SET, _reason(error))
    return good(_KEY_SET, "had")


async def _token(credentials: Credentials) -> Finding:
    try:
        await credentials.token()
    except CredentialsRefused as error:
        return bad(_TOKEN, str(error))
    except ServiceError as error:
        return bad(_TOKEN, _reason(error))
    return good(_TOKEN, "granted to AUTH0_M2M_CLIENT_ID")


def _scope(scope: str, token: Finding, granted: frozenset[str] | None) -> Finding:
    what = f"Auth0 scope {scope}"
    if token.state is not State.OK:
        return bad(what, "there is no token")
    if granted is None:
        return unknown(what, "the token endpoint does not say what it granted")
    return good(what, "granted") if scope in granted else bad(what, "not granted to AUTH0_M2M_CLIENT_ID")


def _reason(error: ServiceError) -> str:
    return str(error.__cause__ or error)
