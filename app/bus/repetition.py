# SPDX-License-Identifier: MIT
"""Logs a repeated event once, and later how often it came."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from loguru import logger

PERIOD: Final = 10.0
"""Seconds after which it is told how often something came meanwhile."""

_MAX_KINDS: Final = 16
_OTHERS: Final = "others"


@dataclass(slots=True)
class _Kind:
    """How often it was told and how often it was not in this period, and what came last."""

    told: int
    kept_back: int
    last: str
    timer: asyncio.TimerHandle


class Repetition:
    """Warnings of one sort: in a period a few of each kind are logged, then a count of the others."""

    def __init__(self, message: str) -> None:
        """Take the record's message; that of the count is the same with `again` behind it."""
        self._message = message
        self._kinds: dict[str, _Kind] = {}

    def warn(self, kind: str, error: str, at_once: int = 1) -> None:
        """Log `error`, unless `at_once` of its kind were logged in this period. Kinds are bounded too."""
        kind = kind if kind in self._kinds or len(self._kinds) < _MAX_KINDS else _OTHERS
        seen = self._kinds.get(kind)
        if seen is None:
            seen = self._kinds[kind] = _Kind(0, 0, "", self._later(kind))
        seen.last = error
        if seen.told < at_once:
            seen.told += 1
            logger.warning(self._message, error=error)
        else:
            seen.kept_back += 1

    def close(self) -> None:
        """Tell what was counted, at the end."""
        for kind in [*self._kinds]:
            self._tell(kind).timer.cancel()
        self._kinds.clear()

    def _later(self, kind: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(PERIOD, self._period_over, kind)

    def _period_over(self, kind: str) -> None:
        if self._tell(kind).kept_back:
            self._kinds[kind].kept_back = 0
            self._kinds[kind].timer = self._later(kind)
        else:
            del self._kinds[kind]

    def _tell(self, kind: str) -> _Kind:
        seen = self._kinds[kind]
        if seen.kept_back:
            logger.warning(f"{self._message} again", times=seen.kept_back, error=seen.last)
        return seen
