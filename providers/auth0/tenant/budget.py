# SPDX-License-Identifier: MIT
"""The time that may be spent on the tenant: nine tenths of a request's time, and what a write needs to end."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from app.domain.deadline import Deadline, current_deadline, set_deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

ATTEMPT: Final = 3.0
"""Seconds that one attempt has at most."""

_LATE: Final = 0.5
"""Part of a request's time, after its end, until which what follows a write may go on; the rest is for undoing it."""

_NEVER: Final = 1e12
"""A moment on the event loop's clock that does not come. Infinity says that there is no request."""

_RESERVE: Final = 0.1
"""Part of a request's time that is kept for the reply."""


class Budget:
    """Tells until when the request at work may go on, on the event loop's clock."""

    def __init__(self, request_timeout: float) -> None:
        """Take the seconds that a request has."""
        self.request_timeout = request_timeout
        self.reserve = _RESERVE * request_timeout

    def until(self) -> float:
        """Return the end of the time for the current request; outside of one, a request's time from now."""
        return self.of(current_deadline())

    def of(self, deadline: Deadline) -> float:
        """Return the end of the time under `deadline`; once a write was sent, an attempt's time from now at least."""
        now = asyncio.get_running_loop().time()
        if deadline.at == float("inf"):
            return now + self.request_timeout
        end = deadline.at - self.reserve
        return max(end, min(now + ATTEMPT, deadline.at + _LATE * self.request_timeout)) if deadline.committed else end

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """Give what undoes a write, or finds out how it ended, the time that is left for that after the reply."""
        deadline = current_deadline()
        # Not a committed one, which could last until the work is cut off: what fails must be told before that.
        set_deadline(Deadline(deadline.at + self.request_timeout))
        try:
            yield
        finally:
            set_deadline(deadline)

    def background(self) -> Deadline:
        """Return a deadline for work that nobody waits for."""
        return Deadline(asyncio.get_running_loop().time() + self.request_timeout)

    def shared(self) -> Deadline:
        """Return a deadline for work that lasts as long as somebody waits for it: it has no end of its own."""
        return Deadline(_NEVER)
