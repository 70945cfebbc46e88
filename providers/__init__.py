"""The identity providers, and the only place where one is chosen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.domain.ports import Provider, Upstream
    from app.settings import Settings


@asynccontextmanager
async def create(settings: Settings, upstream: Upstream) -> AsyncIterator[Provider]:
    """Open the provider that `USER_REPOSITORY_TYPE` names, and close it at the end.

    `upstream` takes note of its calls.
    """
    match settings.provider.type:
        case "mock":
            from providers.mock import mock_provider  # noqa: PLC0415 - only the chosen provider is loaded

            yield mock_provider(settings)
        case "auth0":
            from providers.auth0 import auth0_provider  # noqa: PLC0415 - as above

            async with auth0_provider(settings, upstream) as provider:
                yield provider
