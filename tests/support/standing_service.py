# SPDX-License-Identifier: MIT
"""The service on a mock provider whose look-ups by reference hold up the loop: `<how>:<seconds>:<user>`.

It is configured by the environment like the service itself.
"""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from loguru import logger

import providers
from app.main import run
from app.settings import Settings
from tests.support.slow import RuledDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.domain.ports import Provider
    from providers import Dependencies

SECRET = "opensesame-0815"
"""A value on the stack, which no log may show."""


def hold_by_computing(seconds: float) -> None:
    kept = SECRET
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        kept += ""


def hold_by_sleeping(seconds: float) -> None:
    time.sleep(seconds)


def hold_within_a_pattern(seconds: float) -> None:
    """Compute in C, where no other thread gets a turn."""
    end = time.monotonic() + seconds
    length = 16
    while time.monotonic() < end:
        length += 1
        re.match(r"(a+)+$", "a" * length + "b")


class _Slow:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __str__(self) -> str:
        hold_by_computing(self._seconds)
        return "slow"


def hold_within_the_log(seconds: float) -> None:
    """Stand where loguru's lock is held."""
    logger.bind(what=_Slow(seconds)).error("a record that takes its time")


WAYS = {
    "computing": hold_by_computing,
    "sleeping": hold_by_sleeping,
    "pattern": hold_within_a_pattern,
    "log": hold_within_the_log,
}


async def _hold(reference: str) -> None:
    how, colon, rest = reference.partition(":")
    if colon:
        WAYS[how](float(rest.partition(":")[0]))


@asynccontextmanager
async def _create(settings: Settings, dependencies: Dependencies) -> AsyncIterator[Provider]:
    async with providers.create(settings, dependencies) as provider:
        yield replace(provider, directory=RuledDirectory(provider, _hold))


def main() -> int:
    """Serve, as the environment says."""
    return run(Settings(), create=_create)
