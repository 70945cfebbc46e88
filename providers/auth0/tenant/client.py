# SPDX-License-Identifier: MIT
"""Calls of the tenant. All capabilities send their calls through this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, urlencode

import httpx

from providers.auth0.tenant import errors
from providers.auth0.tenant.answers import TOLD, Answer
from providers.auth0.tenant.errors import CredentialsRefused, Trouble
from providers.auth0.tenant.flights import Flights, Progress
from providers.http import HEADER_ENCODING, PHASES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.domain.ports import Upstream
    from app.domain.reads import Changes
    from providers.auth0.tenant.budget import Budget
    from providers.auth0.tenant.calls import Call
    from providers.auth0.tenant.retries import Retries

_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "lfx-v2-auth-service"}
"""Nothing packed is asked for, so that what is read is all there is."""

SHARED_FOR: Final = 0.05
"""Seconds after a read was sent in which an identical one shares its answer."""


class Http:
    """Sends a request and reads the answer to its end."""

    def __init__(
        self, client: httpx.AsyncClient, domain: str, trace: Callable[[], Mapping[str, str]] = dict[str, str]
    ) -> None:
        """Take the client, the tenant's host, with its port if it has one, and what gives the trace's headers."""
        self._client = client
        self._trace = trace
        self.origin = f"https://{domain}"

    async def send(self, call: Call, token: str) -> Answer:
        """Make one attempt. Raises BrokenAnswer, TimeoutError and what the client raises."""
        response = await self._client.send(self._request(call, token))
        if response.status_code < errors.BAD_REQUEST:
            return Answer(response.status_code, {}, response.content)
        told = {name: response.headers.get(name, "") for name in TOLD}
        return Answer(response.status_code, told, response.content)

    def _request(self, call: Call, token: str) -> httpx.Request:
        # Built here and not by the client, which merges addresses, parameters, headers and cookies: a third of the
        # cost of a call.
        query = f"?{urlencode(call.params, quote_via=quote)}" if call.params else ""
        headers = {**_HEADERS, **self._trace()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = httpx.Request(
            call.method,
            f"{self.origin}{call.path}{query}",
            headers=headers,
            json=call.json,
            data=call.form() if call.form is not None else None,
            extensions={"timeout": PHASES},
        )
        request.headers.encoding = HEADER_ENCODING
        return request


@dataclass(frozen=True, slots=True)
class Line:
    """What every call of the tenant needs: what sends, what repeats, how long there is, and who counts."""

    http: Http
    retries: Retries
    budget: Budget
    upstream: Upstream


class OwnToken(Protocol):
    """The service's own token, for calls in its own name; `tokens.credentials` keeps it."""

    async def token(self) -> str:
        """Return a token that can be used. Raises ProviderUnavailable, RateLimited, CredentialsRefused."""
        ...

    def discard(self, token: str) -> None:
        """Use `token` no more: the tenant has refused it."""
        ...


class TenantClient:
    """Calls the tenant, with retries, as the service or as a caller."""

    def __init__(self, line: Line, credentials: OwnToken, changes: Changes) -> None:
        """Take how the tenant is called, the service's own token, and who is told what was changed."""
        self._changes = changes
        self._http = line.http
        self._retries = line.retries
        self._upstream = line.upstream
        self._credentials = credentials
        self._writes = 0
        self._reads: Flights[Answer] = Flights(line.budget, SHARED_FOR)

    async def call(self, call: Call, progress: Progress | None = None) -> Answer:
        """Return the answer to `call`: a success, or a refusal that the call lets pass. `progress` is of shared work.

        Raises ProviderUnavailable, RateLimited, UserNotFound (404), for a caller's token InvalidToken (401) and
        MissingScope (403), and what the call names.
        """
        try:
            return await self._answered(call, progress)
        except CredentialsRefused as refused:
            error = call.fallback()
            error.__cause__ = Trouble.of(call.kind.name, str(refused))
            raise error from error.__cause__
        finally:
            if call.kind.writes:
                self._writes += 1
            if call.touches or call.addresses:
                self._changes.note(*call.touches, addresses=call.addresses)

    async def shared(self, call: Call) -> Answer:
        """Return the answer to a read, which others who ask the same at the same time share.

        After a write that is known here, by this process or by `changed`, a read does not join an earlier read. What it
        joins was sent at most `SHARED_FOR` seconds ago, so it is older than another write by no more than that.
        """
        key = (self._writes, call.same)
        if self._reads.to_join(key):
            self._upstream.coalesced(call.kind.name)
        return await self._reads.join(key, lambda progress: self.call(call, progress))

    def changed(self) -> None:
        """Take note that some user was changed, by whomever."""
        self._writes += 1

    async def _answered(self, call: Call, progress: Progress | None) -> Answer:
        own = call.token is None and not call.anonymous
        sent = ""

        async def send(token: str) -> Answer:
            nonlocal sent
            sent = token
            return await self._http.send(call, token)

        answer = await self._retries.run(call.kind, self._token_for(call), send, progress)
        if own and answer.status == errors.UNAUTHORIZED:
            self._credentials.discard(sent)
            answer = await self._retries.run(call.kind, self._token_for(call), send, progress)
        if answer.ok or answer.status in call.passes:
            return answer
        raise errors.refusal(call, answer)

    def _token_for(self, call: Call) -> Callable[[], Awaitable[str]]:
        if call.token is None and not call.anonymous:
            return self._credentials.token

        async def known() -> str:
            return "" if call.token is None else call.token.get_secret_value()

        return known
