# SPDX-License-Identifier: MIT
"""The time that the current request has left, and whether it may still be cancelled.

The bus sets the deadline of the current request. Code that calls an upstream asks it how much time is left, and
tells it when a write was sent. After that, the remaining steps are not cancelled.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Any, Final

LEFT_FOR_THE_REPLY: Final = 0.5
"""Seconds that whoever waits for something within a request leaves for its reply."""


@dataclass(slots=True)
class Deadline:
    """The time, on the event loop's clock, by which a request must have its reply."""

    at: float = inf
    grace: float = 0.0
    """Seconds past `at` for which the steps after a write may go on."""

    begun: bool = True
    """Whether the request has its turn. Until then it must not wait for anything."""

    committed: bool = False

    patience: float = inf
    """Seconds that it waits for its turn. Then a request that has a remembered answer goes on without one."""

    passed_over: bool = False
    """Whether it went on without a turn; it may then wait for nothing but its turn."""

    beside: tuple[asyncio.Task[Any], ...] = ()
    """Tasks of the request beside its own. They may outlive the reply; the request ends with the last of them."""

    @property
    def end(self) -> float:
        """The time at which the work is cancelled."""
        return self.at + self.grace if self.committed else self.at

    def remaining(self) -> float:
        """Return the seconds that are left for the work, never below zero. After a write was sent there are more."""
        return max(0.0, self.end - asyncio.get_running_loop().time())

    def until_reply(self) -> float:
        """Return the seconds until the reply is due, never below zero. A write does not change them."""
        return max(0.0, self.at - asyncio.get_running_loop().time())

    def commit(self) -> None:
        """Say that a write was sent: the remaining steps, or their undoing, must not be cancelled."""
        self.committed = True

    def attach(self, task: asyncio.Task[Any]) -> None:
        """Let the request end no sooner than `task`, and cut that off together with it."""
        self.beside = (*self.beside, task)

    def cut_off(self) -> None:
        """Cancel the tasks beside the request's own, at once: in between, one could begin to write."""
        for task in self.beside:
            task.cancel()

    async def settled(self) -> None:
        """Wait until the tasks beside the request's own have ended."""
        while left := [task for task in self.beside if not task.done()]:
            await asyncio.wait(left)


_current: ContextVar[Deadline] = ContextVar("deadline")


def current_deadline() -> Deadline:
    """Return the deadline of the current request, or an infinite one outside of a request."""
    return _current.get(None) or Deadline()


def set_deadline(deadline: Deadline) -> None:
    """Make `deadline` the current one in this context."""
    _current.set(deadline)
