# SPDX-License-Identifier: MIT
"""The tenant's rate limits, learnt from its 429s: one call that must wait makes all others wait."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PAUSE: Final = 60.0
"""Seconds after which the tenant is asked again, whatever it said."""

_SPREAD: Final = 0.25
"""Part of a pause over which those who waited are spread after it."""

_MAX_SPREAD: Final = 1.0

_UNSURE: Final = 5.0
"""Seconds until a moment at most, when the answer does not say what the time is: the clock here may be behind."""

_MAX_DATE: Final = 64
"""Characters: more than a date has."""


class Lane(StrEnum):
    """What the tenant limits apart, whoever asks: endpoint groups of the Management API, and what the service needs."""

    READ = "read"
    WRITE = "write"
    KEYS = "keys"
    TOKEN = "token"  # noqa: S105 - the service's own, not a secret


class Limiter:
    """Keeps everybody on a lane waiting until the tenant's limit is reset."""

    def __init__(self) -> None:
        """Start without any limit known."""
        self._until: dict[Lane, float] = {}
        self._spread: dict[Lane, float] = {}

    def learn(self, lane: Lane, seconds: float) -> None:
        """Take note that the tenant takes nothing more on `lane` for `seconds`."""
        pause = min(max(seconds, 0.0), MAX_PAUSE)
        self._until[lane] = max(self._until.get(lane, 0.0), asyncio.get_running_loop().time() + pause)
        self._spread[lane] = min(pause * _SPREAD, _MAX_SPREAD)

    def opens(self, lane: Lane) -> float:
        """Return when the lane is free again, on the event loop's clock; a moment past when it is free."""
        return self._until.get(lane, 0.0)

    async def wait(self, lane: Lane, until: float) -> bool:
        """Wait for the lane, at most until that moment on the event loop's clock; return whether it is free."""
        loop = asyncio.get_running_loop()
        while (opens := self.opens(lane)) > loop.time():
            opens += random.random() * self._spread[lane]  # noqa: S311 - spreads load
            await asyncio.sleep(max(0.0, min(opens, until) - loop.time()))
            if loop.time() >= until:
                return False
        return True


def told_pause(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds for which a 429 or 503 tells to wait, None when it does not.

    `Retry-After` is seconds or a date (RFC 9110, section 10.2.3), `x-ratelimit-reset` Unix seconds. Both moments are of
    the tenant's clock, and so is the answer's `Date` (section 6.6.1); `now` (Unix seconds) stands in for a missing one.
    """
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after[:9])
    reset = headers.get("x-ratelimit-reset", "").strip()
    moment = _moment(after) if after else float(reset[:15]) if reset.isdecimal() else None
    if moment is None:
        return None
    sent = _moment(headers.get("date", ""))
    return max(0.0, min(moment - now, _UNSURE) if sent is None else moment - sent)


def _moment(date: str) -> float | None:
    """Return the Unix seconds of a date of HTTP (RFC 9110, section 5.6.7), None for anything else."""
    try:
        found = parsedate_to_datetime(date if len(date) <= _MAX_DATE else "")
    except (ValueError, OverflowError):
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
