# SPDX-License-Identifier: MIT
"""Requests take turns: bounded work, an ordered and bounded waiting room, and a deadline for each.

A request begins as a coroutine that the subscriber advances by hand. If it need not wait, it finishes at once and
never comes here. Otherwise it pauses at `take_turn`, before its first call of a provider. Then the subscriber passes it
to `Turns`, which gives it a task of its own when there is room.
"""

from __future__ import annotations

import asyncio
import functools
import math
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from app.bus.lanes import Entry, Lane
from app.domain.errors import Overloaded, RequestTimedOut

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from app.bus.lanes import Job
    from app.domain.errors import ServiceError

MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
MAX_BYTES_AT_WORK: Final = 8 * 1024 * 1024
"""Beyond that only small requests begin (`lanes.SMALL`)."""


class Turns:
    """Gives requests their turn: so many at once, and so many bytes; three quarters of them on one subject."""

    def __init__(self, *, max_at_work: int, max_pending: int) -> None:
        """Take the bounds on what is at work and on what waits."""
        self.lane_limit = max(1, max_at_work * 3 // 4)
        self._max_at_work = max_at_work
        self._max_pending = max_pending
        self._at_work: set[Entry] = set()
        self._bytes_at_work = 0
        self._lanes: set[Lane] = set()
        self._pending = 0
        self._pending_bytes = 0
        self._numbers = 0
        self._abandoned = False
        self._idle = asyncio.Event()

    @property
    def at_work(self) -> int:
        """How many requests are at work."""
        return len(self._at_work)

    @property
    def pending(self) -> int:
        """How many requests wait."""
        return self._pending

    def lane(self) -> Lane:
        """Return a new lane, for one subject."""
        lane = Lane(self.lane_limit)
        self._lanes.add(lane)
        return lane

    def submit(self, job: Job) -> None:
        """Give the job its turn now or later; refuse it when too many wait, or when its time is up before that."""
        lane = job.lane
        if self._abandoned:
            return _turn_away(job, RequestTimedOut())
        self._numbers += 1
        entry = Entry(job, self._numbers)
        # A large one waits behind those that came before it, even where there is room for it and not for them.
        overtakes = entry.is_large and self._first(large=True) is not None
        if len(self._at_work) < self._max_at_work and lane.has_room and self._fits(entry) and not overtakes:
            return self._start(entry)
        full = self._pending >= self._max_pending or self._pending_bytes + entry.size > MAX_PENDING_BYTES
        if full and job.deadline.patience == math.inf:
            return _turn_away(job, Overloaded())
        entry.surplus = full
        self._pending += 1
        self._pending_bytes += entry.size
        entry.queue[entry] = None
        loop = asyncio.get_running_loop()
        patience_ends = loop.time() + (0.0 if full else job.deadline.patience)
        self._set_timer(entry, min(job.deadline.at, patience_ends))
        return None

    async def finished(self) -> None:
        """Wait until nothing waits and nothing is at work."""
        while self._at_work or self._pending:
            self._idle.clear()
            await self._idle.wait()

    def abandon(self) -> int:
        """Answer all that waits or is at work with RequestTimedOut, cut it off, and take nothing more.

        Return how many had not been answered until then.
        """
        self._abandoned = True
        waiting = [entry for lane in self._lanes for entry in lane.waiting]
        left = waiting + list(self._at_work)
        unanswered = sum(not entry.answered for entry in left)
        for entry in left:
            self._answer(entry, RequestTimedOut())
            _cut_off(entry)
        return unanswered

    def _fits(self, entry: Entry) -> bool:
        """Whether there is room for its bytes."""
        return not (entry.is_large and self._at_work) or self._bytes_at_work + entry.size <= MAX_BYTES_AT_WORK

    def _first(self, *, large: bool) -> Entry | None:
        """Return who of those that wait came first, in the lanes that have room."""
        queues = [lane.large if large else lane.small for lane in self._lanes if lane.has_room]
        return min((next(iter(queue)) for queue in queues if queue), key=lambda entry: entry.number, default=None)

    def _start(self, entry: Entry) -> None:
        entry.job.deadline.begun = True
        entry.job.lane.at_work += 1
        self._at_work.add(entry)
        self._bytes_at_work += entry.size
        entry.task = asyncio.get_running_loop().create_task(entry.job.coroutine, context=entry.job.context)
        entry.task.add_done_callback(functools.partial(self._done, entry))
        self._set_timer(entry, entry.job.deadline.at)

    def _set_timer(self, entry: Entry, moment: float) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        entry.timer = asyncio.get_running_loop().call_at(moment, self._expire, entry)

    def _done(self, entry: Entry, task: asyncio.Task[None]) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        self._at_work.discard(entry)
        self._bytes_at_work -= entry.size
        entry.job.lane.at_work -= 1
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if entry.answered or error is not None:
            entry.job.ended(error)
        self._start_waiting()
        self._wake_if_idle()

    def _start_waiting(self) -> None:
        while self._pending and len(self._at_work) < self._max_at_work:
            heads = (head for large in (False, True) if (head := self._first(large=large)) and self._fits(head))
            entry = min(heads, key=lambda head: head.number, default=None)
            if entry is None:
                return
            self._leave(entry)
            self._start(entry)

    def _leave(self, entry: Entry) -> None:
        """Let an entry wait no more, wherever it stood: what is not counted any more is not held either."""
        del entry.queue[entry]
        self._pending -= 1
        self._pending_bytes -= entry.size

    def _pass_over(self, entry: Entry) -> None:
        """Continue a job without its turn, until it finishes or waits for its turn again.

        It has no task, so it cannot wait for anything else.
        """
        job = entry.job
        job.deadline.passed_over = True
        if not job.advance():
            self._retire(entry)
            job.reply()
        elif entry.surplus:
            self._answer(entry, Overloaded())
        else:
            self._set_timer(entry, job.deadline.at)

    def _expire(self, entry: Entry) -> None:
        if entry.waits and entry.job.deadline.patience < math.inf:
            return self._pass_over(entry)
        first = not entry.answered
        self._answer(entry, RequestTimedOut())
        if entry.task is None:
            return None
        if entry.job.deadline.committed and first:
            self._set_timer(entry, entry.job.deadline.end)
        else:
            _cut_off(entry)
        return None

    def _answer(self, entry: Entry, error: ServiceError) -> None:
        if entry.answered:
            return
        if entry.task is None:
            self._retire(entry)
            _turn_away(entry.job, error)
        else:
            entry.answered = True
            entry.job.refuse(error)

    def _retire(self, entry: Entry) -> None:
        """Take note that one that waits is answered."""
        entry.answered = True
        self._leave(entry)
        if entry.timer is not None:
            entry.timer.cancel()
        if entry.is_large and not self._abandoned:
            self._start_waiting()  # one behind it may need less room
        self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if not self._at_work and not self._pending:
            self._idle.set()


def _cut_off(entry: Entry) -> None:
    if entry.task is not None:
        entry.task.cancel()
        entry.job.deadline.cut_off()


def _turn_away(job: Job, error: ServiceError) -> None:
    """Answer a request that has not begun, and end its coroutine where it paused."""
    job.refuse(error)
    end(job.coroutine)


def end(coroutine: Coroutine[Any, Any, None]) -> None:
    """Close a coroutine that nobody advances any more, whatever it does about that."""
    try:
        coroutine.close()
    except Exception:  # noqa: BLE001 - a handler that does not let itself be closed must not keep others from theirs
        logger.exception("a handler did not end when it was told to")
