"""The service on a mock provider that can be told to be slow: to resolve `slow:2:ada` takes two seconds.

`python -m tests.benchmarks.slow_service`, configured by the environment like the service itself.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import providers
from app.main import run
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.domain.ports import Directory, Provider, Upstream
    from app.domain.users import Address, User


class SlowDirectory:
    """Finds users in memory, after as many seconds as the reference says."""

    def __init__(self, directory: Directory) -> None:
        """Take where users are really found."""
        self._directory = directory

    async def by_primary_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user whose primary e-mail `address` is."""
        return await self._directory.by_primary_email(address, fresh=fresh)

    async def by_alternate_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user who has `address` as a verified e-mail identity."""
        return await self._directory.by_alternate_email(address, fresh=fresh)

    async def by_subject(self, subject: str) -> User:
        """Find the user with that subject identifier."""
        return await self._directory.by_subject(subject)

    async def resolve(self, reference: str) -> User:
        """Find the user meant by `slow:<seconds>:<reference>`, or by anything else at once."""
        if reference.startswith("slow:"):
            _, seconds, reference = reference.split(":", 2)
            await asyncio.sleep(float(seconds))
        return await self._directory.resolve(reference)


@asynccontextmanager
async def create(settings: Settings, upstream: Upstream) -> AsyncIterator[Provider]:
    """Open the provider that the settings name, slow on demand."""
    async with providers.create(settings, upstream) as provider:
        yield replace(provider, directory=SlowDirectory(provider.directory))


if __name__ == "__main__":
    sys.exit(run(Settings(), create=create))
