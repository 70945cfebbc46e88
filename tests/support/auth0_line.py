# SPDX-License-Identifier: MIT
"""The way to an Auth0 tenant without a socket: the provider's own, up to where bytes would leave the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from providers.auth0.tenant.budget import Budget
from providers.auth0.tenant.client import Http, Line
from providers.auth0.tenant.limiter import Limiter
from providers.auth0.tenant.retries import Retries
from tests.support.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import Callable

UNIX = 1_900_000_000.0
"""The moment, by the clock on the wall, at which a test in virtual time begins."""


def unix() -> float:
    return UNIX + now()


class Tenant:
    """Answers with what `answer` says of a request: a status, what is to be JSON, and headers if any.

    It keeps requests and moments.
    """

    def __init__(self, answer: Callable[[httpx.Request], tuple[Any, ...]], seconds: float = 0.0) -> None:
        self.answer, self.seconds = answer, seconds
        self.requests: list[httpx.Request] = []
        self.moments: list[float] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.moments.append(round(now(), 6))
        await asyncio.sleep(self.seconds)
        status, content, *headers = self.answer(request)
        return httpx.Response(status, json=content, headers=headers[0] if headers else None)

    def line(self, counts: Any, request_timeout: float = 10.0) -> Line:
        """Return the line to this tenant, in virtual time."""
        budget = Budget(request_timeout)
        http = Http(httpx.AsyncClient(transport=httpx.MockTransport(self)), "tenant.example")
        return Line(http, Retries(budget, Limiter(), counts, unix), budget, counts)
