# SPDX-License-Identifier: MIT
"""Asks both services what a source gives, at a steady rate, and judges the answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from app.cli.compare.differences import differences

if TYPE_CHECKING:
    from app.cli.compare.asking import Side
    from app.cli.compare.reads import Request
    from app.cli.compare.sources import Source
    from app.cli.compare.tally import Tally

_AT_ONCE: Final = 64
"""Requests on their way; a service that does not answer holds up the comparison and nobody else."""
_AGAIN: Final = 1.0
"""Seconds after which two that differed are asked again: a user may have been changed between the two answers."""


class Comparison:
    """Asks until the source has no more, or somebody says that it is enough."""

    def __init__(self, old: Side, new: Side, tally: Tally, rate: float) -> None:
        """Take both services, what counts, and how many requests a second each of them is sent."""
        self._old, self._new, self._tally = old, new, tally
        self._between = 1 / rate
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._stop = asyncio.Event()
        self._next = 0.0

    async def run(self, source: Source, stop: asyncio.Event) -> None:
        """Ask. What is on its way when it stops is waited for, and asked again at once where it has to be.

        Raises what the source raises.
        """
        self._stop = stop
        try:
            async with asyncio.TaskGroup() as group, contextlib.aclosing(source.requests()) as requests:
                async for request in requests:
                    await self._in_time()
                    await self._room.acquire()
                    if stop.is_set():
                        self._room.release()
                        source.left_out += 1
                        break
                    group.create_task(self._compare(request))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None
        self._tally.close()

    async def _in_time(self) -> None:
        """Wait until the rate allows the next request; time that was not used is not made up for."""
        now = asyncio.get_running_loop().time()
        turn = max(self._next, now)
        self._next = turn + self._between
        await self._pause(turn - now)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until it stops: a rate may be one request in two minutes."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _compare(self, request: Request) -> None:
        try:
            old, new = await asyncio.gather(self._old.ask(request), self._new.ask(request))
            self._tally.answered(request, old, new)
            found = differences(old, new)
            passing = False
            if found:
                await self._pause(_AGAIN)
                await self._in_time()
                again = differences(*await asyncio.gather(self._old.ask(request), self._new.ask(request)))
                passing, found = not again, again or found
            self._tally.judged(request, found, passing=passing)
        finally:
            self._room.release()
