# SPDX-License-Identifier: MIT
"""Reports stale answers to operators: the first one, and the end."""

from __future__ import annotations

import asyncio
from typing import Final

from loguru import logger

_QUIET: Final = 10.0
"""Seconds without a stale answer after which an outage counts as over."""


class Outage:
    """Logs the first stale answer and the end. `/readyz?verbose` shows the time between."""

    def __init__(self) -> None:
        self._given = 0
        self._began = self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        self.failing = False
        """Whether the last call of the provider failed."""

    @property
    def state(self) -> str:
        """A text while stale answers are given, else empty."""
        if not self._given:
            return ""
        # Not of the running loop: the thread of an exporter asks too, and has none.
        seconds = self._loop.time() - self._began
        return f"stale answers are given: {self._given} in {seconds:.0f} s"

    def stale(self) -> None:
        """Note a stale answer."""
        loop = self._loop = asyncio.get_running_loop()
        self._last = loop.time()
        if not self._given:
            self._began = self._last
            self._timer = loop.call_later(_QUIET, self._look)
            logger.warning("the provider does not answer: remembered answers are given")
        self._given += 1

    def close(self) -> None:
        """Stop watching."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        if (left := self._last + _QUIET - loop.time()) > 0:
            self._timer = loop.call_later(left, self._look)
            return
        lasted = round(self._last - self._began, 1)
        given, self._given = self._given, 0
        logger.warning("remembered answers are given no more in place of errors", given=given, seconds=lasted)
