# SPDX-License-Identifier: MIT
"""What is needed of storage at the start: tried again and again, until it is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Step = Callable[[], Awaitable[object]]

_RETRY: Final = 1.0
_LOOK_AGAIN: Final = 10.0


class Start:
    """Opens the buckets, and reads the signing key, without which only codes and identity tokens are missing."""

    def __init__(self, open_buckets: Step, read_key: Step) -> None:
        """Take what opens every bucket, and what reads the key, or puts one there."""
        self._open_buckets = open_buckets
        self._read_key = read_key
        self.key_fault = "not read yet"
        """Why there is no key; empty once it is there."""

    async def open_buckets(self) -> None:
        """Open every bucket."""
        async for _ in _faults(self._open_buckets, "the buckets cannot be opened"):
            pass

    async def keep_key(self) -> None:
        """Read the key, or make it; then look again and again, also when nobody uses it, whether it is still there."""
        while True:
            async for fault in _faults(self._read_key, "the signing key cannot be read"):
                self.key_fault = fault
            self.key_fault = ""
            await asyncio.sleep(_LOOK_AGAIN)


async def _faults(step: Step, message: str) -> AsyncIterator[str]:
    """Try a step each second until it succeeds; yield why it did not. A fault that lasts is logged once."""
    told = ""
    while True:
        try:
            await step()
        except ServiceError as error:
            fault = str(error.__cause__ or error) or type(error.__cause__).__name__
        else:
            return
        if fault != told:
            logger.warning(message, error=fault)
        told = fault
        yield fault
        await asyncio.sleep(_RETRY)
