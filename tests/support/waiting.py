# SPDX-License-Identifier: MIT
"""Waiting for what has no event, and requests that have little time left."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from app.domain.deadline import Deadline, set_deadline

if TYPE_CHECKING:
    from collections.abc import Callable


PATIENCE = 60.0
"""Seconds that only a fault can reach: a process that gets no processor, or stands, is back before."""


async def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something holds; `holds` may give an awaitable."""
    async with asyncio.timeout(seconds):
        while not (await found if inspect.isawaitable(found := holds()) else found):  # noqa: ASYNC110 - whatever it is, it has no event
            await asyncio.sleep(0.02)


def time_left(seconds: float) -> None:
    """Let the test itself be a request that has so many seconds left."""
    set_deadline(Deadline(at=asyncio.get_running_loop().time() + seconds))
