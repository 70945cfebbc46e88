# SPDX-License-Identifier: MIT
"""Rate limits with the headers that the tenant documents: X-RateLimit-Limit, -Remaining, -Reset, and Retry-After."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stand_ins.auth0.web import Refusal, api_error

if TYPE_CHECKING:
    from collections.abc import Callable

_UNLIMITED = 1000


@dataclass
class Bucket:
    """A bucket of `burst` calls that is filled with `rate` calls a second, as the Management API has it."""

    rate: float
    burst: int
    left: float
    filled: float
    """When it was last filled, Unix seconds."""

    def take(self, now: float) -> dict[str, str]:
        """Take a call out of the bucket and return the headers; Refusal (429) when it is empty."""
        self.left = min(float(self.burst), self.left + max(0.0, now - self.filled) * self.rate)
        self.filled = now
        if self.left >= 1:
            self.left -= 1
            return _headers(self.burst, int(self.left), now + 1 / self.rate)
        reply = api_error(429, "Global limit has been reached", "too_many_requests")
        reply.headers = _headers(self.burst, 0, now + (1 - self.left) / self.rate)
        raise Refusal(reply)


@dataclass
class Limit:
    """So many calls in so many seconds."""

    calls: int
    seconds: float
    retry_after: bool = True
    """Whether a refusal says Retry-After besides the reset time."""
    left: int = 0
    resets: float = 0.0


class Limits:
    """The limits in force, by kind of call: `read`, `write` (Management API) and `authentication`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limits: dict[str, Limit] = {}
        self._bucket: Bucket | None = None

    def set(self, kind: str, calls: int, seconds: float = 1.0, *, retry_after: bool = True) -> None:
        """Put a limit in force."""
        self._limits[kind] = Limit(calls, seconds, retry_after)

    def fill(self, rate: float, burst: int | None = None) -> None:
        """Give all calls of the Management API one bucket: so many a second, `burst` at once (as many unless given)."""
        size = max(1, round(rate)) if burst is None else burst
        self._bucket = Bucket(rate, size, float(size), self._now())

    def clear(self) -> None:
        """Lift all limits."""
        self._limits.clear()
        self._bucket = None

    def take(self, kind: str) -> dict[str, str]:
        """Count a call and return the headers of its reply; Refusal (429) when there are too many."""
        now = self._now()
        limit = self._limits.get(kind)
        if self._bucket is not None and kind in {"read", "write"} and limit is None:
            return self._bucket.take(now)
        if limit is None:
            return _headers(_UNLIMITED, _UNLIMITED - 1, now + 1)
        if now >= limit.resets:
            limit.left, limit.resets = limit.calls, now + limit.seconds
        if limit.left > 0:
            limit.left -= 1
            return _headers(limit.calls, limit.left, limit.resets)
        reply = api_error(429, "Global limit has been reached", "too_many_requests")
        reply.headers = _headers(limit.calls, 0, limit.resets)
        if limit.retry_after:
            reply.headers["Retry-After"] = str(math.ceil(limit.resets - now))
        raise Refusal(reply)


def _headers(limit: int, remaining: int, reset: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(math.ceil(reset)),
    }
