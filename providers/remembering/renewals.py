# SPDX-License-Identifier: MIT
"""Reads that go on after their callers got an older answer: to renew it, or to end what they have begun to write.

Work is cut off only as long as it has written nothing. A read can write, for example the subject identifier of a token.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import ServiceError
from app.domain.tasks import ended

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from app.domain.users import User

    Read = Callable[[], Coroutine[Any, Any, User]]

_MOST: Final = 16
"""Maximum number of simultaneous renewals."""

_SETTLING: Final = 1.0
"""Seconds that renewals which have begun to write are given when the service stops."""


class Trial:
    """A read in a task of its own, which belongs to the request at work: it may outlive the reply, and not the slot."""

    def __init__(self, read: Read) -> None:
        """Begin to read."""
        self._deadline = current_deadline()
        context = copy_context()
        context.run(set_deadline, self._deadline)
        self.task = asyncio.get_running_loop().create_task(read(), name="read", context=context)
        self._deadline.attach(self.task)

    async def within(self, seconds: float) -> None:
        """Wait for the end of the read, for so many seconds."""
        await asyncio.wait({self.task}, timeout=seconds)

    def leave(self) -> bool:
        """Wait for it no more: cut it off, unless it has begun to write. Return whether it is cut off."""
        written = self._deadline.committed
        if not written:
            self.task.cancel()
        self.task.add_done_callback(lambda task: _tell(task, written=written, renews=False))
        return not written


class Renewals:
    """Reads in the background, one for each key, each within the time of a request: a slow provider is no outage."""

    def __init__(self, longest_read: float) -> None:
        """Take the time of a request (seconds). A read that has begun to write by then has as much again."""
        self._longest_read = longest_read
        self._running: dict[bytes, tuple[asyncio.Task[None], Deadline]] = {}

    def begin(self, key: bytes, read: Read) -> None:
        """Read in the background, unless that is under way or there is too much of it."""
        if key not in self._running and len(self._running) < _MOST:
            # Not the context of the request at hand, whose time and trace end with it. Providers see no deadline of a
            # request, only where to say that a write was sent.
            deadline, context = Deadline(), Context()
            context.run(set_deadline, deadline)
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._run(read, deadline), name="renewal", context=context)
            self._running[key] = task, deadline
            task.add_done_callback(lambda _: self._running.pop(key, None))

    async def settle(self) -> None:
        """Wait for those that have begun to write, for a second at most."""
        if writing := [task for task, deadline in self._running.values() if deadline.committed]:
            await asyncio.wait(writing, timeout=_SETTLING)

    async def close(self) -> None:
        """End all reads."""
        await asyncio.gather(*(ended(task) for task, _ in list(self._running.values())))

    async def _run(self, read: Read, deadline: Deadline) -> None:
        work = asyncio.get_running_loop().create_task(read(), name="renewing")
        try:
            await asyncio.wait({work}, timeout=self._longest_read)
            if deadline.committed:
                await asyncio.wait({work}, timeout=self._longest_read)
        finally:
            await ended(work)
            _tell(work, written=deadline.committed, renews=True)


def _tell(work: asyncio.Task[User], *, written: bool, renews: bool) -> None:
    """Log how a read failed for which nobody waits. One that was cut off before it wrote anything is no matter."""
    error = None if work.cancelled() else work.exception()
    if error is not None and not isinstance(error, ServiceError):
        logger.opt(exception=error).error("a read for which nobody waits failed")
    elif written and (error is not None or work.cancelled()):
        logger.warning("a read failed that had begun to write", error=str(error or "it was cut off"))
    elif renews and (error is not None or work.cancelled()):
        logger.debug("what is remembered could not be renewed", error=str(error or "it took too long"))
