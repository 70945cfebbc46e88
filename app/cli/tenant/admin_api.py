# SPDX-License-Identifier: MIT
"""The way to the tenant: Auth0's own library, with waiting for rate limits, bounds, and errors in words."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
from auth0.management import AsyncAuth0
from auth0.management.core.api_error import ApiError
from auth0.management.core.parse_error import ParsingError

from app.cli.tenant.errors import Refused, Unreachable, Unreadable
from app.cli.terminal import printable
from app.domain.redaction import redact
from providers.http import BrokenAnswer, library_client, make_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from auth0.management.core.pagination import AsyncPager

_T = TypeVar("_T")
_R = TypeVar("_R")
_MOST: Final = 16 * 1024 * 1024
"""Bytes of an answer: a page of Actions holds their code."""

_MOST_PAGES: Final = 200
_MESSAGE: Final = 300
"""Characters of the tenant's own words that are shown."""

_TIMEOUT: Final = 20.0
"""Seconds for each part of an answer."""

_LONGEST_CALL: Final = 60.0
"""Seconds for all of it: what comes a byte at a time has no end otherwise."""

_LONGEST_WAIT: Final = 60.0
_PATIENCE: Final = 300.0
"""Seconds for which rate limits are waited for in one call."""

_TRIES: Final = 3
_UNAUTHORIZED, _TOO_MANY, _FAILS = 401, 429, 500
_BROKEN: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, BrokenAnswer)
_UNFORESEEN: Final = (ValueError, TypeError, AttributeError, LookupError, RecursionError)
"""What the library raises of an answer that it did not expect: a number too long, lists too deep, null."""


class AdminApi:
    """Calls the tenant, one call at a time."""

    def __init__(self, host: str, secrets: Iterable[str], notice: Callable[[str], None]) -> None:
        """Take the tenant's host, texts that may never be shown, and what tells the operator of a wait."""
        self.host = host
        self.secrets = tuple(secrets)
        self.limits: dict[str, int] = {}
        """Calls that the tenant allows at once, by `read` and `write`, as its answers tell."""
        self.answered = False
        """Whether anybody has answered as a tenant's Management API does."""
        self._notice = notice
        self.http: httpx.AsyncClient
        self.api: AsyncAuth0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AdminApi]:
        """Open the connections for as long as the context lasts."""
        hooks = {"response": [self._note]}
        async with library_client(make_transport(2, _MOST), httpx.Timeout(_TIMEOUT), hooks=hooks) as self.http:
            yield self

    def use(self, token: str) -> None:
        """Call with that token from now on."""
        self.secrets = (*self.secrets, token)
        self.api = AsyncAuth0(
            base_url=f"https://{self.host}/api/v2", token=token, httpx_client=self.http, max_retries=0
        )

    async def call(self, operation: str, make: Callable[[], Awaitable[_T]], *, writes: bool = False) -> _T:
        """Return what a call of the library gives. Raises Refused, Unreadable, Unreachable.

        A rate limit is waited for. A read is tried again when the tenant fails; a write never.
        """
        waited, tries = 0.0, 1 if writes else _TRIES
        while True:
            try:
                async with asyncio.timeout(_LONGEST_CALL):
                    return await make()
            except ApiError as error:
                status = error.status_code or 0
                pause = _pause(error, waited) if status == _TOO_MANY else None
                tries -= status >= _FAILS
                if status < 300:  # noqa: PLR2004 - a success whose body is no JSON
                    raise Unreadable(operation) from None
                if not (pause is not None and waited < _PATIENCE) and not (status >= _FAILS and tries > 0):
                    raise self._refused(operation, error) from None
            except _BROKEN as error:
                pause, tries = None, tries - 1
                if tries <= 0:
                    raise Unreachable(f"{operation}: {self.host} cannot be reached: {_why(error)}") from None
            except (ParsingError, *_UNFORESEEN):
                raise Unreadable(operation) from None
            if pause is not None:
                self._notice(f"the tenant limits calls; waiting {pause:.0f} s")
                waited += pause
            await asyncio.sleep(0.5 if pause is None else pause)

    async def all(
        self, operation: str, make: Callable[[], Awaitable[AsyncPager[_T, _R]]], *, size: int = 0
    ) -> list[_T]:
        """Return what stands on all pages.

        `size`: how many were requested for each page, where pages are counted. Then a page that is not full is the
        last, unless the tenant's total is larger. A total is used for nothing else, because it can change meanwhile.
        """
        pager = await self.call(operation, make)
        found = _items(operation, pager)
        for _ in range(_MOST_PAGES):
            known = getattr(pager.response, "total", None) or 0
            if not pager.has_next or (len(pager.items or ()) < size and len(found) >= known):
                return found
            following = await self.call(operation, pager.next_page)
            if following is None or not following.items:
                return found
            pager = following
            found += _items(operation, pager)
        raise Unreadable(operation)

    async def ask(self, operation: str, form: Callable[[], dict[str, str]]) -> tuple[int, dict[str, Any]]:
        """Return status and content of what the token endpoint answers, a refusal too.

        `form` is called for each try: proofs are used once. Raises as `call` does, which waits and tries again.
        """

        async def make() -> tuple[int, dict[str, Any]]:
            answer = await self.http.post(f"https://{self.host}/oauth/token", json=form())
            # Before its content: a gateway's page is no JSON.
            if answer.status_code == _TOO_MANY or answer.status_code >= _FAILS:
                raise ApiError(status_code=answer.status_code, headers=dict(answer.headers))
            content = answer.json()
            if not isinstance(content, dict):
                raise TypeError(operation)
            return answer.status_code, content

        return await self.call(operation, make)

    def shown(self, text: object) -> str:
        """Return words of the tenant's in one line, bounded, without anything that is secret."""
        line = " ".join(printable(redact(str(text), self.secrets, _MESSAGE)).split())
        return line[:_MESSAGE]

    async def _note(self, response: httpx.Response) -> None:
        if not response.request.url.path.startswith("/api/v2/"):
            return
        if response.headers.get("content-type", "").startswith("application/json"):
            self.answered = True
        limit = response.headers.get("x-ratelimit-limit", "")
        if limit.isdecimal() and len(limit) < 10:  # noqa: PLR2004
            self.limits["read" if response.request.method == "GET" else "write"] = int(limit)

    def _refused(self, operation: str, error: ApiError) -> Refused | Unreachable:
        body = error.body if isinstance(error.body, dict) else {}
        message = self.shown(body.get("message") or "")
        if error.status_code == _UNAUTHORIZED:
            return Unreachable(f"{operation}: the tenant refuses the token: {message or 'status 401'}")
        return Refused(operation, error.status_code or 0, message)


def _items(operation: str, pager: AsyncPager[_T, _R]) -> list[_T]:
    if pager.items is None:
        raise Unreadable(operation)
    return list(pager.items)


def _pause(error: ApiError, waited: float) -> float:
    """Return for how many seconds to wait: what the tenant tells, or ever longer where that is too little."""
    from providers.auth0.tenant.limiter import told_pause  # noqa: PLC0415 - it loads the provider

    told = told_pause({name.lower(): value for name, value in (error.headers or {}).items()}, time.time())
    return min(max(1.0, waited) if told is None else max(told, waited / 4, 0.1), _LONGEST_WAIT)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return type(error.__cause__ or error).__name__ if isinstance(error, BrokenAnswer | httpx.HTTPError) else str(error)
