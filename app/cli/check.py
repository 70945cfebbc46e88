# SPDX-License-Identifier: MIT
"""`auth-service check`: what works, in a table."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import typer
from nats.aio.client import Client
from prometheus_client import CollectorRegistry

import providers
from app.cli import FAILED, OK, UNUSABLE, fail
from app.cli.connection import Unreachable, connected
from app.cli.terminal import table
from app.runtime.logs import set_up_logs
from app.runtime.upstream import UpstreamTelemetry
from app.settings import ConfigurationError, NatsSettings, Settings
from providers import Surroundings

if TYPE_CHECKING:
    from app.domain.ports import Provider

_WORKS = "ok"
_BROKEN = "FAILED"
_LOOK: Final = 0.02


def examine() -> int:
    """Print what works, and return the exit status."""
    try:
        settings = Settings()
        # On standard error, beside the table; the sink keeps secrets out of it.
        set_up_logs(settings.log.model_copy(update={"format": "console"}), settings.secrets, sys.stderr)
        rows = asyncio.run(_examined(settings))
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    typer.echo(table(rows, indent=""))
    return OK if all(state == _WORKS for _, state, _ in rows) else FAILED


async def _examined(settings: Settings) -> list[tuple[str, str, str]]:
    return [
        ("configuration", _WORKS, f"for the provider {settings.provider.type}"),
        ("NATS", *await _nats(settings.nats)),
        ("provider", *await _provider(settings)),
    ]


async def _nats(settings: NatsSettings) -> tuple[str, str]:
    try:
        async with connected(settings, settings.timeout) as client:
            begun = time.perf_counter()
            await client.flush()
            milliseconds = (time.perf_counter() - begun) * 1000
            address = client.connected_url.netloc.rpartition("@")[2] if client.connected_url else ""
            version = client.connected_server_version
            return _WORKS, f"{address}, nats-server {version.major}.{version.minor}, {milliseconds:.1f} ms away"
    except Unreachable as error:
        return _BROKEN, str(error)


async def _provider(settings: Settings) -> tuple[str, str]:
    try:
        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(connected(settings.nats, settings.nats.timeout))
            except Unreachable:
                client = Client()
            surroundings = Surroundings(nats=client, upstream=UpstreamTelemetry(CollectorRegistry()))
            provider = await stack.enter_async_context(providers.create(settings, surroundings))
            fault = await _fault(provider, settings.nats.timeout)
            return (_BROKEN, f"{provider.name}: {fault}") if fault else (_WORKS, f"{provider.name} is open")
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever keeps a provider from opening is what the person wants to read
        return _BROKEN, f"{settings.provider.type}: {type(error).__name__}: {error}"


async def _fault(provider: Provider, seconds: float) -> str:
    """Wait until the provider has what it needs; return what it still lacks when the time is over."""
    end = time.monotonic() + seconds
    while True:
        parts = provider.readiness().items()
        faults = [f"{name} {fault}" for name, fault in parts if fault and not name.endswith("?")]
        if not faults or time.monotonic() > end:
            return "; ".join(faults)
        await asyncio.sleep(_LOOK)
