# SPDX-License-Identifier: MIT
"""One piece of work for however many want its result at the same time."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import ProviderUnavailable, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from providers.auth0.budget import Budget

T = TypeVar("T")


@dataclass(slots=True)
class Progress:
    """What is known of work under way: its last failure, which is the reply of whoever can wait no longer."""

    error: ServiceError = field(default_factory=ProviderUnavailable)


@dataclass(slots=True)
class _Flight(Generic[T]):
    deadline: Deadline
    progress: Progress = field(default_factory=Progress)
    waiters: int = 0
    task: asyncio.Task[T] = field(init=False)


class Flights(Generic[T]):
    """Shares work in flight by key. It is cancelled when nobody waits for it any more."""

    def __init__(self, budget: Budget) -> None:
        """Take how long each may wait."""
        self._budget = budget
        self._flights: dict[Hashable, _Flight[T]] = {}

    def in_flight(self, key: Hashable) -> bool:
        """Whether there is work to join."""
        return key in self._flights

    async def join(self, key: Hashable, start: Callable[[Progress], Coroutine[object, object, T]]) -> T:
        """Return the result of the work under `key`, started with `start` when there is none in flight.

        The work has until the latest deadline of those who wait. Raises what it raises, and its last failure when
        the caller's own time ends first.
        """
        deadline = current_deadline()
        until = self._budget.of(deadline)
        flight = self._flights.get(key) or self._begin(key, start)
        flight.deadline.at = max(flight.deadline.at, until + self._budget.reserve)
        flight.waiters += 1
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(flight.task)
        except TimeoutError:
            raise flight.progress.error from None
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._leave(key, flight)
                flight.task.cancel()

    def _begin(self, key: Hashable, start: Callable[[Progress], Coroutine[object, object, T]]) -> _Flight[T]:
        flight: _Flight[T] = _Flight(Deadline(0.0))
        context = copy_context()
        context.run(set_deadline, flight.deadline)
        self._flights[key] = flight
        flight.task = asyncio.get_running_loop().create_task(start(flight.progress), context=context)
        flight.task.add_done_callback(lambda task: self._landed(key, flight, task))
        return flight

    def _landed(self, key: Hashable, flight: _Flight[T], task: asyncio.Task[T]) -> None:
        self._leave(key, flight)
        if not task.cancelled():
            task.exception()  # looked at, though everybody who waited may have gone in the same instant

    def _leave(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
