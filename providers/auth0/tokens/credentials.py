# SPDX-License-Identifier: MIT
"""The service's own token (client credentials, RFC 6749, section 4.4) and how it proves who it is (RFC 7523)."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jose import jwk, jwt
from loguru import logger

from app.domain.deadline import set_deadline
from app.domain.errors import ProviderUnavailable
from app.domain.tasks import beside
from app.domain.tokens import is_token
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.errors import CredentialsRefused
from providers.auth0.tenant.flights import Flights, Progress
from providers.auth0.tenant.limiter import Lane
from providers.auth0.tenant.retries import nothing
from providers.auth0.tokens.background import Background
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.client import Line

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE: Final = 50
"""Seconds for which an assertion is valid: a minute at most, less what clocks differ by."""

MARGIN: Final = 60.0
"""Seconds before its end from which a token is not used any more."""

_AHEAD: Final = 0.2
"""Part of a token's life, at its end, in which it is replaced before anybody has to wait."""

_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_TOKEN: Final = Kind("m2m_token", Lane.TOKEN)


class Assertions:
    """Signs client assertions: RS256, a new id each."""

    def __init__(self, client_id: str, private_key: RSAPrivateKey, audience: str, now: Callable[[], float]) -> None:
        """Take who the service is, its key, for whom the assertions are meant, and the clock (Unix seconds)."""
        self.client_id = client_id
        self._key = jwk.construct(private_key, "RS256")
        self._audience = audience
        self._now = now

    def sign(self) -> str:
        """Return a new assertion (RFC 7523, section 3)."""
        issued = int(self._now())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._audience,
            "iat": issued,
            "exp": issued + ASSERTION_LIFE,
            "jti": uuid.uuid4().hex,
        }
        return str(jwt.encode(claims, self._key, algorithm="RS256"))


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    usable_until: float
    replace_at: float


class Credentials:
    """Keeps the service's own token: fetched once for all who wait, replaced before its end."""

    def __init__(
        self, line: Line, assertions: Assertions, form: dict[str, str], now: Callable[[], float] = time.time
    ) -> None:
        """Take how the tenant is called, what proves who asks, the grant's fields, and the clock (Unix seconds)."""
        self._line = line
        self._assertions = assertions
        self._form = form
        self._now = now
        self._token: _Token | None = None
        self._fetches: Flights[str] = Flights(line.budget, lasts=True)
        self._background = Background(_TOKEN.name)
        self._discarded = asyncio.Event()
        self.had_one = False
        self.granted: frozenset[str] | None = None
        """The scopes of the last token, as far as the endpoint told them (RFC 6749, section 5.1)."""

    @property
    def fault(self) -> str:
        """Why the last fetch in the background failed, the empty string when it did not."""
        return self._background.fault

    async def token(self) -> str:
        """Return a token that is good for a minute yet. Raises ProviderUnavailable, RateLimited, CredentialsRefused."""
        token = self._token
        if token is not None and self._now() < token.usable_until:
            return token.value
        return await self._fetches.join("token", self._fetch)

    def discard(self, token: str) -> None:
        """Use `token` no more: the tenant has refused it."""
        if self._token is not None and self._token.value == token:
            self._token = None
            self._discarded.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep a token at hand while the context lasts."""
        async with aclosing(self._fetches), beside(self._keep(), "auth0 token"):
            yield

    async def _keep(self) -> None:
        while True:
            set_deadline(self._line.budget.background())
            await self._background.run(self._fetches.join("token", self._fetch))
            await self._until_due(self._background.failures)

    async def _until_due(self, failures: int) -> None:
        if failures or self._token is None:
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
            return
        self._discarded.clear()
        pause = max(1.0, self._token.replace_at - self._now())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._discarded.wait()

    async def _fetch(self, progress: Progress) -> str:
        try:
            answer = await self._line.retries.run(_TOKEN, nothing, self._ask, progress)
            token = self._read(answer)
        except BaseException:  # counted however it ended, and passed on
            self._line.upstream.refreshed("m2m_token", "failed")
            raise
        self._line.upstream.refreshed("m2m_token", "ok")
        self._token = token
        self.had_one = True
        return token.value

    async def _ask(self, _: None) -> Answer:
        answer = await self._line.http.send(
            Call(
                kind=_TOKEN,
                method="POST",
                path="/oauth/token",
                fallback=ProviderUnavailable,
                json={**self._form, **client_proof(self._assertions)},
                anonymous=True,
            ),
            "",
        )
        if answer.ok:
            self._read(answer)  # one without a token is broken, and asked for again
        return answer

    def _read(self, answer: Answer) -> _Token:
        if not answer.ok:
            word = answer.text_of("error")[:60]
            logger.error("the tenant refuses this service a token of its own", status=answer.status, refusal=word)
            why = f": {word}" if word.isascii() and word.isprintable() and word else ""
            raise CredentialsRefused(f"own token refused with status {answer.status}{why}")
        content = answer.json()
        value, life = (content.get("access_token"), content.get("expires_in")) if isinstance(content, dict) else (0, 0)
        if not is_token(value) or isinstance(life, bool) or not isinstance(life, int) or life <= 0:
            raise BrokenAnswer("no token")
        now = self._now()
        usable = now + life - MARGIN
        scope = content.get("scope")
        self.granted = frozenset(scope.split()) if isinstance(scope, str) else None
        return _Token(value, usable, usable - _AHEAD * max(0.0, life - MARGIN))


def client_proof(assertions: Assertions) -> dict[str, str]:
    """Return the fields by which the service authenticates at the token endpoint (RFC 7523, section 2.2)."""
    return {
        "client_id": assertions.client_id,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertions.sign(),
    }
