# SPDX-License-Identifier: MIT
"""Tasks in the background, and their end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

_CANCEL_AGAIN: Final = 0.1
"""Seconds."""


async def ended(task: asyncio.Task[Any], within: float = _CANCEL_AGAIN) -> None:
    """Cancel a task until it ends. It has `within` seconds to clean up before it is cancelled again.

    Once is not always enough: `wait_for` of Python 3.11, in nats-py, loses a cancellation that comes together with
    what it waits for. Raises nothing. The task keeps its own exception.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=within)
        within = _CANCEL_AGAIN


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Run `work` in a task of that name while the context lasts."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        await ended(task)
