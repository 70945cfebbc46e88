# SPDX-License-Identifier: MIT
"""Callers' tokens, verified with Authelia's OIDC userinfo endpoint.

OpenID Connect Core 1.0, section 5.3; bearer tokens and their errors: RFC 6750, section 3.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydantic import SecretStr
from pydantic_core import from_json

from app.domain.deadline import LEFT_FOR_THE_REPLY, current_deadline
from app.domain.errors import InvalidToken, ProviderUnavailable, TokenOfClient, UserNotFound
from app.domain.lookups import is_reference
from app.domain.reads import Meant
from app.domain.tokens import Caller
from providers.authelia.storage import records
from providers.authelia.storage.kv import StorageFull
from providers.http import PHASES, BrokenAnswer

if TYPE_CHECKING:
    from app.domain.ports import Upstream
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.users import Users

TOKEN_PREFIX: Final = "authelia_at_"  # noqa: S105 - how one begins
_MAX_TOKEN: Final = 4096
MAX_ANSWER: Final = 64 * 1024
"""Bytes of an answer of userinfo that are read."""

_ATTEMPT_TIME: Final = 2.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_OUTSIDE_A_REQUEST: Final = 10.0


class Userinfo:
    """The userinfo endpoint."""

    def __init__(self, client: httpx.AsyncClient, url: str, upstream: Upstream) -> None:
        """Take the HTTP client, the endpoint's address, and what notes calls."""
        self._client = client
        self._upstream = upstream
        self._url = url

    async def of(self, token: str) -> tuple[str, str]:
        """Return `preferred_username` and `sub` of whoever the token speaks for; a short outage is waited for.

        Raises InvalidToken, TokenOfClient, ProviderUnavailable.
        """
        if len(token) > _MAX_TOKEN or not token.isascii() or not token.isprintable():
            raise InvalidToken
        loop = asyncio.get_running_loop()
        # A write on its way gives a request more time, but nothing was written before the token is verified.
        end = loop.time() + min(current_deadline().remaining(), _OUTSIDE_A_REQUEST) - LEFT_FOR_THE_REPLY
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._upstream.attempt("userinfo"):
                    async with asyncio.timeout(max(0.05, min(_ATTEMPT_TIME, end - loop.time()))):
                        return _understood(*await self._ask(token))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, BrokenAnswer) as error:
                if loop.time() + pause > end:
                    raise ProviderUnavailable from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._upstream.retried("userinfo")

    async def _ask(self, token: str) -> tuple[int, str, bytes]:
        headers = {
            **self._upstream.headers(),
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        request = httpx.Request("GET", self._url, headers=headers, extensions={"timeout": PHASES})
        response = await self._client.send(request)
        return response.status_code, response.headers.get("WWW-Authenticate", ""), response.content


def _understood(status: int, challenge: str, body: bytes) -> tuple[str, str]:
    if status == httpx.codes.UNAUTHORIZED:
        raise InvalidToken
    if status == httpx.codes.FORBIDDEN:
        raise TokenOfClient if _is_insufficient_scope(challenge, body) else InvalidToken
    if status != httpx.codes.OK:
        raise BrokenAnswer(f"status {status}")
    claims = _object(body)
    if claims is None:
        raise BrokenAnswer("no JSON object")
    username, subject = claims.get("preferred_username"), claims.get("sub")
    if not isinstance(username, str) or not username.strip():
        raise InvalidToken
    subject = subject.strip() if isinstance(subject, str) else ""
    # OpenID Connect Core 1.0, section 2, has at most 255 characters: what is far longer is none that could be found.
    return username.strip(), subject if is_reference(subject) else ""


def _is_insufficient_scope(challenge: str, body: bytes) -> bool:
    return "insufficient_scope" in challenge or (_object(body) or {}).get("error") == "insufficient_scope"


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        claims = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


class AutheliaCallers:
    """Tells who calls. Authelia's tokens have scopes, which are not looked at."""

    def __init__(self, userinfo: Userinfo, users: Users) -> None:
        """Take the endpoint and the users."""
        self._userinfo = userinfo
        self._users = users

    async def verify(self, token: str, *, scope: str) -> Caller:  # noqa: ARG002 - see above
        """Return whoever the token speaks for. Raises InvalidToken, UserNotFound."""
        if not token.startswith(TOKEN_PREFIX):
            raise InvalidToken
        meant = await self.meant_by(token)
        username, subject = meant.username, meant.subject
        record = await self.account(username, subject)
        return Caller(subject or records.subject_of(username, record), SecretStr(token), username)

    async def meant_by(self, token: str) -> Meant:
        """Return the account that the token speaks for, and the `sub` in it. Raises InvalidToken, UserNotFound."""
        username, subject = await self._userinfo.of(token)
        if not records.is_username(username):
            raise UserNotFound
        return Meant(subject=subject, username=username)

    async def account(self, username: str, subject: str) -> Record:
        """Return the record, in which the `sub` of a token is stored, where there is one. Raises UserNotFound."""
        if not subject:
            return await self._users.get(username)
        try:
            return await self._users.subjects.store(username, subject)
        except StorageFull:
            # The account is its username; what needs to write will say that there is no room.
            return await self._users.get(username)


class AutheliaClients:
    """Lets the platform's own clients, whose tokens name no user, act for a user they name."""

    def __init__(self, users: Users) -> None:
        """Take the users."""
        self._users = users

    async def acting_for(self, token: str, username: str) -> Caller:
        """Return the account of that name as the caller. Raises UserNotFound."""
        if not records.is_username(username):
            raise UserNotFound
        record = await self._users.get(username)
        return Caller(records.subject_of(username, record), SecretStr(token), username)
