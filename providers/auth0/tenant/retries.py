# SPDX-License-Identifier: MIT
"""Attempts: how long one may take, which are repeated, and when."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, TypeVar, cast

from app.domain.deadline import current_deadline
from app.domain.errors import RateLimited
from providers.auth0.tenant import errors
from providers.auth0.tenant.budget import ATTEMPT
from providers.auth0.tenant.errors import Failure, Outcome
from providers.auth0.tenant.flights import Progress
from providers.auth0.tenant.limiter import MAX_PAUSE, told_pause
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.ports import Upstream
    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.budget import Budget
    from providers.auth0.tenant.calls import Kind
    from providers.auth0.tenant.limiter import Limiter

P = TypeVar("P")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_DOUBLINGS: Final = 5
_LEAST_FOR_A_WRITE: Final = 0.5
"""Seconds without which a write is not begun: the tenant might do it, and the caller be told that it was not done."""

_NOT_DONE: Final = frozenset((Outcome.REFUSED, Outcome.RATE_LIMITED, Outcome.NOT_CONNECTED))
"""How an attempt ends that certainly changed nothing."""


class Retries:
    """Makes attempts until one is answered or time is up."""

    def __init__(self, budget: Budget, limiter: Limiter, upstream: Upstream, now: Callable[[], float]) -> None:
        """Take how long there is, the limits learnt, who counts, and the clock (Unix seconds)."""
        self._budget = budget
        self._limiter = limiter
        self._upstream = upstream
        self._now = now

    async def run(
        self,
        kind: Kind,
        prepare: Callable[[], Awaitable[P]],
        send: Callable[[P], Awaitable[Answer]],
        progress: Progress | None = None,
    ) -> Answer:
        """Return the answer of the first attempt that has one: a success, or a refusal (4xx).

        Before each attempt `prepare` is awaited, outside of the attempt's time.

        Raises:
            ProviderUnavailable: it could not be reached or understood, to the end of the time.
            RateLimited: it took no requests, to the end of the time.
        """
        progress = progress or Progress()
        progress.operation = kind.name
        until = self._budget.until()
        tries = 0
        while True:
            await self._open(kind, until, progress)
            prepared = await prepare()
            self._begin(kind, until, progress)
            progress.sent = asyncio.get_running_loop().time()
            answer, failure = await self._attempt(kind, send, prepared, until)
            if failure is None and answer is not None:
                return answer
            failure = cast("Failure", failure)
            progress.error, progress.sent = failure.error, None
            if not (failure.write_again if kind.once or kind.writes else failure.read_again):
                raise failure.error
            await self._sleep(self._pause(kind, answer, failure, tries), until, failure)
            tries += 1
            self._upstream.retried(kind.name)

    async def _open(self, kind: Kind, until: float, progress: Progress) -> None:
        if kind.lane is None or self._limiter.opens(kind.lane) <= asyncio.get_running_loop().time():
            return
        if not isinstance(progress.error, RateLimited):
            progress.error = errors.limited(kind.name, "a limit that another call has met")
        if not await self._limiter.wait(kind.lane, until):
            raise progress.failure

    def _begin(self, kind: Kind, until: float, progress: Progress) -> None:
        """Begin no attempt that would be cut off at once: the client may have sent it by then, for nothing."""
        least = min(_LEAST_FOR_A_WRITE, self._budget.reserve) if kind.writes or kind.once else 0.0
        if asyncio.get_running_loop().time() + least >= until:
            raise progress.failure

    async def _sleep(self, pause: float, until: float, failure: Failure) -> None:
        left = until - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(pause, left)))
        if pause >= left:
            raise failure.error

    async def _attempt(
        self, kind: Kind, send: Callable[[P], Awaitable[Answer]], prepared: P, until: float
    ) -> tuple[Answer | None, Failure | None]:
        deadline = current_deadline()
        committed, deadline.committed = deadline.committed, deadline.committed or kind.writes
        answer = None
        with self._upstream.attempt(kind.name) as attempt:
            try:
                began = asyncio.get_running_loop().time()
                async with asyncio.timeout_at(min(began + ATTEMPT, until)):
                    answer = await send(prepared)
                failure = _judge(kind, answer)
            except Exception as error:  # noqa: BLE001 - `of_exception` raises again what it does not know
                failure = errors.of_exception(kind.name, error)
            if failure is not None:
                attempt.outcome = failure.outcome
            else:
                attempt.outcome = Outcome.OK if answer is not None and answer.ok else Outcome.REFUSED
        if attempt.outcome in _NOT_DONE:
            deadline.committed = committed
        return answer, failure

    def _pause(self, kind: Kind, answer: Answer | None, failure: Failure, tries: int) -> float:
        """Return the seconds until the next attempt; a rate limit is told to everybody."""
        longest = min(_FIRST_PAUSE * 2 ** min(tries, _DOUBLINGS), _LONGEST_PAUSE)
        backoff: float = longest * (0.5 + random.random() / 2)  # noqa: S311 - spreads load
        told = told_pause(answer.headers, self._now()) if answer is not None else None
        pause: float = backoff if told is None else min(max(told, backoff), MAX_PAUSE)
        if failure.outcome is Outcome.RATE_LIMITED and kind.lane is not None:
            self._limiter.learn(kind.lane, pause)
        return pause


async def nothing() -> None:
    """Prepare nothing, for a call without a token."""


def _judge(kind: Kind, answer: Answer) -> Failure | None:
    if answer.status == errors.TOO_MANY and kind.lane is None:
        return None
    failure = errors.of_status(kind.name, answer)
    if failure is None and kind.json and answer.ok:
        try:
            if not isinstance(answer.json(), kind.shape):
                raise BrokenAnswer("of a wrong shape")  # noqa: TRY301 - as `json` does
        except BrokenAnswer as error:
            return errors.of_exception(kind.name, error)
    return failure
