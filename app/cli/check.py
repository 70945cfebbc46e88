# SPDX-License-Identifier: MIT
"""`auth-service check`: what works and what does not, in a table. Nothing is changed anywhere."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack

from nats.aio.client import Client
from prometheus_client import CollectorRegistry

import providers
from app.bus.nats.client import INBOX_PREFIX
from app.cli import FAILED, OK, UNUSABLE, fail, say
from app.cli.connection import Unreachable, connected
from app.cli.terminal import printable, table
from app.domain.findings import Finding, State, bad, good
from app.domain.redaction import redact
from app.interruption import run
from app.observability.logs import set_up_logs
from app.observability.upstream_metrics import UpstreamTelemetry
from app.proxies import ignore_proxies
from app.settings import ConfigurationError, Settings
from providers import Dependencies


def examine() -> int:
    """Print what works, and return the exit status."""
    ignore_proxies()
    try:
        settings = Settings(further=providers.faults)
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    # On standard error, beside the table; the sink keeps secrets out of it.
    sink = set_up_logs(settings.log.model_copy(update={"format": "console"}), settings.secrets, sys.stderr)
    found = run(_examined(settings))
    sink.output.settle()
    rows = [(one.what, str(one.state), printable(redact(one.why, settings.secrets))) for one in found]
    say(table(rows, indent=""))
    return OK if all(one.state is State.OK for one in found) else FAILED


async def _examined(settings: Settings) -> list[Finding]:
    async with AsyncExitStack() as stack:
        client, nats = await _nats(settings, stack)
        dependencies = Dependencies(nats=client, upstream=UpstreamTelemetry(CollectorRegistry()))
        return [
            good("configuration", f"for the provider {settings.provider.type}"),
            nats,
            *await _provider(settings, dependencies),
        ]


async def _nats(settings: Settings, stack: AsyncExitStack) -> tuple[Client, Finding]:
    try:
        # With the service's inbox: the rights of its user may allow no other.
        connecting = connected(settings.nats, settings.nats.timeout, inbox_prefix=INBOX_PREFIX)
        client = await stack.enter_async_context(connecting)
        begun = time.perf_counter()
        async with asyncio.timeout(settings.nats.timeout):
            await client.flush()
    except Unreachable as error:
        return Client(), bad("NATS", str(error))
    except Exception as error:  # noqa: BLE001 - whatever the library raises when a connection that stood breaks
        return Client(), bad("NATS", f"the connection broke: {type(error).__name__}")
    milliseconds = (time.perf_counter() - begun) * 1000
    address = client.connected_url.netloc.rpartition("@")[2] if client.connected_url else ""
    version = client.connected_server_version
    return client, good("NATS", f"{address}, nats-server {version.major}.{version.minor}, {milliseconds:.1f} ms away")


async def _provider(settings: Settings, dependencies: Dependencies) -> list[Finding]:
    try:
        return await providers.examine(settings, dependencies)
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is no traceback and no success
        return [bad("provider", f"{settings.provider.type}: {type(error).__name__}")]
