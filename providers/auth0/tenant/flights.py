# SPDX-License-Identifier: MIT
"""One call for all who want its result at the same time."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from app.domain.deadline import set_deadline
from app.domain.tasks import ended
from providers.auth0.tenant import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from app.domain.errors import ServiceError
    from providers.auth0.tenant.budget import Budget

T = TypeVar("T")


@dataclass(slots=True)
class Progress:
    """What is known of work under way.

    `error` is its last failure, if any. `sent` is when what is waited for was sent, on the event loop's clock; None
    while nothing is: before the first attempt, and between two. `needs` is other shared work that it waits for.
    """

    operation: str = ""
    error: ServiceError | None = None
    sent: float | None = None
    needs: Progress | None = None

    @property
    def failure(self) -> ServiceError:
        """The last failure of what is waited for at present: the reply of whoever can wait no longer."""
        if self.needs is not None:
            return self.needs.failure
        return self.error or errors.of_exception(self.operation, TimeoutError()).error


_around: ContextVar[Progress | None] = ContextVar("around", default=None)
"""The shared work that the present code is a part of."""


@dataclass(slots=True)
class _Flight(Generic[T]):
    progress: Progress = field(default_factory=Progress)
    waiters: int = 0
    task: asyncio.Task[T] = field(init=False)


class Flights(Generic[T]):
    """Shares work in flight by key. It is cancelled when nobody waits for it any more.

    So it has no deadline: each of those who wait has one.
    """

    def __init__(self, budget: Budget, shared_for: float = math.inf, *, lasts: bool = False) -> None:
        """Take how long each may wait, and for how many seconds after something was sent others may still join.

        With `lasts`, the work has the time of one request at least, even if nobody waits for so long.
        """
        self._budget = budget
        self._shared_for = shared_for
        self._lasts = lasts
        self._flights: dict[Hashable, _Flight[T]] = {}

    def to_join(self, key: Hashable) -> bool:
        """Whether there is work to join."""
        flight = self._flights.get(key)
        return flight is not None and self._is_new(flight)

    async def join(self, key: Hashable, start: Callable[[Progress], Coroutine[object, object, T]]) -> T:
        """Return the result of the work under `key`, started with `start` when there is none to join.

        Raises what it raises, and its last failure when the caller's own time ends first.
        """
        flight = self._flights.get(key)
        if flight is None or not self._is_new(flight):
            flight = self._begin(key, start)
        around = _around.get() or Progress()
        around.needs = flight.progress
        flight.waiters += 1
        try:
            async with asyncio.timeout_at(self._budget.until()):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            error = flight.progress.failure
            raise error from error.__cause__
        finally:
            around.needs = None
            self._one_less(key, flight)

    async def aclose(self) -> None:
        """Cancel what is in flight."""
        for flight in list(self._flights.values()):
            await ended(flight.task)

    def _one_less(self, key: Hashable, flight: _Flight[T]) -> None:
        flight.waiters -= 1
        if not flight.waiters and not flight.task.done():
            self._leave(key, flight)
            flight.task.cancel()

    def _is_new(self, flight: _Flight[T]) -> bool:
        sent = flight.progress.sent
        return sent is None or asyncio.get_running_loop().time() - sent <= self._shared_for

    def _begin(self, key: Hashable, start: Callable[[Progress], Coroutine[object, object, T]]) -> _Flight[T]:
        flight: _Flight[T] = _Flight()
        context = copy_context()
        context.run(set_deadline, self._budget.shared())
        context.run(_around.set, flight.progress)
        self._flights[key] = flight
        loop = asyncio.get_running_loop()
        flight.task = loop.create_task(start(flight.progress), context=context)
        if self._lasts:
            flight.waiters += 1
            loop.call_at(self._budget.of(self._budget.background()), self._one_less, key, flight)
        flight.task.add_done_callback(lambda task: self._landed(key, flight, task))
        return flight

    def _landed(self, key: Hashable, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._leave(key, flight)
        if not task.cancelled():
            task.exception()  # looked at, though everybody who waited may have gone in the same instant

    def _leave(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
