# SPDX-License-Identifier: MIT
"""Requests that wait for their turn or are at work, in the lane of their subject."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from contextvars import Context

    from app.domain.deadline import Deadline
    from app.domain.errors import ServiceError


SMALL: Final = 64 * 1024
"""Bytes up to which a request is begun whatever the others hold: no caller needs more."""


class Job(Protocol):
    """A request that waits or is at work."""

    deadline: Deadline
    coroutine: Coroutine[Any, Any, None]
    context: Context

    @property
    def lane(self) -> Lane:
        """The subject's lane."""
        ...

    @property
    def size(self) -> int:
        """Bytes that the request holds; asked for once."""
        ...

    def advance(self) -> bool:
        """Take the steps that need no turn; return whether it waits for its turn now."""
        ...

    def reply(self) -> None:
        """Send the reply to which `advance` led when it does not wait."""
        ...

    def refuse(self, error: ServiceError) -> None:
        """Reply with `error`, unless there was a reply. A later result of the coroutine is not sent."""
        ...

    def ended(self, error: BaseException | None) -> None:
        """Take note of the end of the coroutine: after a reply was sent for it, or with `error`."""
        ...


class Lane:
    """The requests of one subject: the number at work, and those that wait, in order.

    Large ones wait by themselves: they may have to wait for room that small ones do not need.
    """

    __slots__ = ("at_work", "large", "limit", "small")

    def __init__(self, limit: int) -> None:
        """Take how many may be at work at once."""
        self.limit = limit
        self.at_work = 0
        self.small: OrderedDict[Entry, None] = OrderedDict()
        self.large: OrderedDict[Entry, None] = OrderedDict()

    @property
    def has_room(self) -> bool:
        """Whether one more may be at work."""
        return self.at_work < self.limit

    @property
    def waiting(self) -> list[Entry]:
        """All who wait."""
        return [*self.small, *self.large]


class Entry:
    """A job in the waiting room or at work, and what it holds."""

    __slots__ = ("answered", "is_large", "job", "number", "queue", "size", "surplus", "task", "timer")

    def __init__(self, job: Job, number: int) -> None:
        """Take the job, and which one it is of all."""
        self.job = job
        self.number = number
        self.size = job.size
        self.is_large = self.size > SMALL
        self.queue = job.lane.large if self.is_large else job.lane.small
        """Where it waits."""

        self.surplus = False
        """Whether there was no room to wait in when it came: it is passed over at once."""

        self.answered = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn still."""
        return not self.answered and self.task is None
