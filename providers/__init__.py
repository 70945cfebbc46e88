# SPDX-License-Identifier: MIT
"""The identity providers, and the only place where one is chosen."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from app.domain.findings import good
from app.domain.reads import UNHEARD
from app.settings.reading import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from nats.aio.client import Client

    from app.domain.findings import Finding
    from app.domain.ports import Provider, Upstream
    from app.domain.reads import Changes, ReadContext
    from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What the service gives a provider: its connection to NATS, which need not stand yet, and what notes calls.

    `reads` is what remembering answers needs; without it nothing is remembered. `changes` is told what is changed.
    """

    nats: Client
    upstream: Upstream
    reads: ReadContext | None = None
    changes: Changes = UNHEARD


def faults(settings: Settings) -> list[str]:
    """Return a line for everything that the chosen provider cannot begin with and that no section can see."""
    if settings.provider.type == "auth0" and settings.auth0.events and find_spec("auth0") is None:
        return ["AUTH0_EVENTS: needs the extra [auth0]; in a checkout, run `make install`"]
    if settings.provider.type != "mock" or settings.mock.users_file is None:
        return []
    from providers.mock.users_file import load_users  # noqa: PLC0415 - only the chosen provider is loaded

    try:
        load_users(settings.mock.users_file)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


async def examine(settings: Settings, dependencies: Dependencies) -> list[Finding]:
    """Look at everything that the chosen provider needs, change nothing, and tell how each is."""
    match settings.provider.type:
        case "auth0":
            from providers.auth0 import examine_auth0  # noqa: PLC0415 - as above

            return await examine_auth0(settings, dependencies.upstream)
        case "authelia":
            from providers.authelia import examine_authelia  # noqa: PLC0415 - as above

            return await examine_authelia(settings, dependencies)
        case _:
            return [good("provider", "mock needs nothing")]


@asynccontextmanager
async def create(settings: Settings, dependencies: Dependencies) -> AsyncIterator[Provider]:
    """Open the provider that `USER_REPOSITORY_TYPE` names, and close it at the end.

    What it finds is remembered, except by the mock, which has all in memory.
    """
    if settings.provider.type == "mock":
        from providers.mock import mock_provider  # noqa: PLC0415 - only the chosen provider is loaded

        yield mock_provider(settings)
    elif dependencies.reads is None:
        async with _open(settings, dependencies) as provider:
            yield provider
    else:
        from providers.remembering import Remembering  # noqa: PLC0415 - as above

        async with (
            aclosing(Remembering(settings.reads, dependencies.reads)) as memory,
            _open(settings, replace(dependencies, changes=memory)) as provider,
        ):
            yield memory.over(provider)


def _open(settings: Settings, dependencies: Dependencies) -> AbstractAsyncContextManager[Provider]:
    """Open the provider."""
    if settings.provider.type == "auth0":
        from providers.auth0 import auth0_provider  # noqa: PLC0415 - as above

        return auth0_provider(settings, dependencies.upstream, changes=dependencies.changes, nats=dependencies.nats)
    from providers.authelia import authelia_provider  # noqa: PLC0415 - as above

    return authelia_provider(settings, dependencies)
