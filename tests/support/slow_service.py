# SPDX-License-Identifier: MIT
"""The service on a mock provider whose look-ups by reference wait as the reference says: `<seconds or a file>:<user>`.

A file is waited for until it is there. `python -m tests.support.slow_service`, configured by the environment like the
service itself.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import providers
from app.main import run
from app.settings import Settings
from tests.support.slow import RuledDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.domain.ports import Provider
    from providers import Dependencies


async def _wait(reference: str) -> None:
    what, colon, _ = reference.partition(":")
    if "/" in what:
        while not Path(what).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(0.05)
    elif colon:
        await asyncio.sleep(float(what))


@asynccontextmanager
async def _create(settings: Settings, dependencies: Dependencies) -> AsyncIterator[Provider]:
    async with providers.create(settings, dependencies) as provider:
        yield replace(provider, directory=RuledDirectory(provider, _wait))


def main() -> int:
    """Serve, as the environment says."""
    return run(Settings(), create=_create)


if __name__ == "__main__":
    sys.exit(main())
