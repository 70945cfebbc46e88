# SPDX-License-Identifier: MIT
"""How long the request at work has, and whether it may still be cut off.

The runtime sets the deadline of the request at work; whoever talks to an upstream asks it how much time is left
and tells it when a write was sent, after which the remaining steps are not cut off.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Deadline:
    """The moment, on the event loop's clock, by which a request must be answered."""

    at: float = float("inf")
    grace: float = 0.0
    """Seconds past `at` for which the steps after a write may go on."""

    begun: bool = True
    """Whether the request has its turn; until then it may not wait for anything."""

    committed: bool = False

    @property
    def end(self) -> float:
        """The moment at which the work is cut off."""
        return self.at + self.grace if self.committed else self.at

    def remaining(self) -> float:
        """Return the seconds that are left for the work, never below zero; a write that was sent gives it more."""
        return max(0.0, self.end - asyncio.get_running_loop().time())

    def until_reply(self) -> float:
        """Return the seconds until the reply is due, never below zero; no write prolongs them."""
        return max(0.0, self.at - asyncio.get_running_loop().time())

    def commit(self) -> None:
        """Say that a write is on its way: what remains to be done, or undone, must not be cut off."""
        self.committed = True


_current: ContextVar[Deadline] = ContextVar("deadline")


def current_deadline() -> Deadline:
    """Return the deadline of the request at work; one without end outside of a request."""
    return _current.get(None) or Deadline()


def set_deadline(deadline: Deadline) -> None:
    """Make `deadline` the current one in this context."""
    _current.set(deadline)
