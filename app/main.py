# SPDX-License-Identifier: MIT
"""Puts the parts together and runs them; the only module that knows routers and providers."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

import providers
from app.bus.broadcast import NAME as FORGET
from app.bus.broadcast import Broadcast
from app.bus.broker import AuthBroker
from app.bus.events import NatsProfileEvents, ProfileUpdatedEvent
from app.bus.gate import in_turn, take_turn
from app.bus.nats.client import ReconnectingClient
from app.bus.subjects import PROFILE_UPDATED
from app.documentation.asyncapi import Documents
from app.domain.aliases import Aliases, AliasPolicy
from app.domain.emails import EmailLinking, Emails
from app.domain.impersonation import Impersonation, unavailable
from app.domain.linking import Linking
from app.domain.lookups import Lookups
from app.domain.metadata import Metadata
from app.domain.passwords import PasswordResets, Passwords
from app.domain.ports import Absent, Provider
from app.domain.reads import ReadContext
from app.domain.tasks import beside, ended
from app.http import create_pages, is_ready, serving
from app.observability.export import exporting
from app.observability.logs import AuditLog, Sink, set_up_logs
from app.observability.loop_watch import watching
from app.observability.telemetry import Telemetry
from app.proxies import ignore_proxies
from app.settings import NatsSettings, Settings, WorkSettings
from providers import Dependencies
from routers import ROUTERS
from routers.impersonation import asked_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from app.domain.metadata import ProfileEvents
    from app.settings import AliasSettings

VERSION = version("lfx-v2-auth-service")
_CLOSED_WITHIN: Final = 0.1
"""Seconds that closing the event loop may take at the end of the process: it waits for each look-up of a name that was
begun, and nothing ends those."""


def services(provider: Provider, events: ProfileEvents, aliases: AliasSettings) -> dict[str, Any]:
    """Return what handlers are given, under the names of `routers.inject`."""
    gated = replace(provider, **{name: in_turn(port) for name, port in provider.capabilities.items()})
    callers, directory = gated.callers, gated.directory
    policy = AliasPolicy(frozenset(aliases.allowed_domains), frozenset(aliases.reserved_extra))
    audit = AuditLog()
    impersonation = gated.impersonation
    if isinstance(impersonation, Absent):
        impersonation = replace(impersonation, note=lambda body: unavailable(audit, *asked_in(body)))

    def present(port: Any, make: Callable[[Any], object]) -> object:  # noqa: ANN401 - any capability
        return port if isinstance(port, Absent) else make(port)

    return {
        "lookups": Lookups(directory, gated.subjects),
        "metadata": Metadata(callers, directory, gated.profiles, events, lambda: datetime.now(UTC), gated.clients),
        "emails": Emails(callers, directory, gated.accounts),
        "email_linking": EmailLinking(directory, gated.verification),
        "linking": Linking(callers, directory, gated.identities),
        "aliases": present(gated.aliases, lambda port: Aliases(callers, directory, port, policy)),
        "passwords": present(gated.passwords, lambda port: Passwords(callers, port)),
        "password_resets": present(gated.reset_links, lambda port: PasswordResets(callers, directory, port)),
        "impersonation": present(impersonation, lambda port: Impersonation(port, audit)),
    }


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    broker: AuthBroker
    telemetry: Telemetry
    http_port: int
    readiness: Callable[[], Mapping[str, str]]
    """What each part lacks; an empty text where it lacks nothing."""


def declare(
    nats: NatsSettings,
    work: WorkSettings,
    telemetry: Telemetry,
    client: ReconnectingClient | None = None,
    broadcast: Broadcast | None = None,
) -> tuple[AuthBroker, ProfileEvents]:
    """Return a broker with all that is received and sent, and what publishes the events. Nothing stands behind it."""
    broker = AuthBroker(ROUTERS, nats=nats, work=work, telemetry=telemetry, client=client, broadcast=broadcast)
    updates = broker.publisher(
        PROFILE_UPDATED,
        title="user_profile.updated",
        description="A user's metadata was changed with `user_metadata.update`.",
        schema=ProfileUpdatedEvent,
    )
    return broker, NatsProfileEvents(updates.publish, telemetry)


def create_broker(
    settings: Settings,
    provider: Provider,
    telemetry: Telemetry,
    client: ReconnectingClient | None = None,
    broadcast: Broadcast | None = None,
) -> AuthBroker:
    """Return a broker that serves every subject with `provider`; it is not connected yet.

    `client` is the connection that the provider shares with it, where it shares one, `broadcast` what is told over it.
    """
    broker, events = declare(settings.nats, settings.work, telemetry, client, broadcast)
    for name, service in services(provider, events, settings.aliases).items():
        broker.context.set_global(name, service)
    return broker


def documents() -> Documents:
    """Return the document and the page of the service, without a configuration, a provider or a connection."""
    nats, work = NatsSettings.model_construct(), WorkSettings.model_construct()
    broker, _ = declare(nats, work, Telemetry(version=VERSION, provider="none"))
    return Documents(broker, VERSION)


def _dependencies(
    settings: Settings, client: ReconnectingClient, broadcast: Broadcast, telemetry: Telemetry
) -> Dependencies:
    timeout = settings.work.request_timeout
    reads = ReadContext(broadcast=broadcast, notes=telemetry.reads, turn=take_turn, request_timeout=timeout)
    return Dependencies(nats=client, upstream=telemetry.upstream, reads=reads)


ProviderFactory = Callable[["Settings", "Dependencies"], AbstractAsyncContextManager[Provider]]


@asynccontextmanager
async def running(
    settings: Settings, create: ProviderFactory = providers.create, sink: Sink | None = None
) -> AsyncIterator[Service]:
    """Run the service while the context lasts; at its end it is drained. Connecting goes on inside the context."""
    client = ReconnectingClient()
    broadcast = Broadcast(client, settings.nats.subject_prefix + FORGET)
    async with (
        exporting(settings.telemetry, version=VERSION, provider=settings.provider.type, sink=sink) as telemetry,
        create(settings, _dependencies(settings, client, broadcast, telemetry)) as provider,
    ):
        telemetry.measure(provider.measurements)
        if sink is not None:
            telemetry.measure(lambda: {"auth_service_log_records_lost_total": sink.output.lost})
        broker = create_broker(settings, provider, telemetry, client, broadcast)
        documents = Documents(broker, VERSION)

        def readiness() -> dict[str, str]:
            return {"nats": broker.state, **provider.readiness()}

        telemetry.show("ready", "1 when requests are served, else 0.", lambda: is_ready(readiness()))
        pages = create_pages(readiness, telemetry.exposition, documents.routes())
        async with serving(pages, settings.http) as port:
            with watching(telemetry.registry, sink.tell if sink is not None else None):
                try:
                    yield Service(broker, telemetry, port, readiness)
                finally:
                    await broker.drain()
                    await provider.leave()
                    await broker.stop()


async def serve(
    settings: Settings,
    started: Callable[[Service], Coroutine[Any, Any, None]] | None = None,
    create: ProviderFactory = providers.create,
    sink: Sink | None = None,
) -> int:
    """Run the service until SIGTERM or SIGINT (status 0), or until NATS is given up (status 1)."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, asked.set)
    stopping = asyncio.create_task(asked.wait(), name="stop")
    status = 0
    async with running(settings, create, sink) as service:
        # Not before: until now nothing is in hand, and SIGTERM ends the process at once (`app.entry`), whatever the
        # event loop is held up by.
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        starting = asyncio.create_task(service.broker.start(), name="start")
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.is_set():
            status = await _serve_connected(service, starting, stopping, started)
        await ended(starting)
        if not starting.cancelled():
            starting.exception()  # looked at, so that nobody reports it as overlooked
        logger.info("stopping")
    stopping.cancel()
    logger.info("stopped")
    return status


async def _serve_connected(
    service: Service,
    starting: asyncio.Task[None],
    stopping: asyncio.Task[bool],
    started: Callable[[Service], Coroutine[Any, Any, None]] | None,
) -> int:
    if (error := starting.exception()) is not None:
        reason = service.broker.last_error or str(error) or type(error).__name__
        logger.error("NATS cannot be reached", error=reason)
        return 1
    # What was made up to here lives as long as the process: walking through it in every full collection would stop
    # all requests for 50 ms at a time.
    gc.collect()
    gc.freeze()
    logger.info("ready", version=VERSION, http_port=service.http_port)
    closed = asyncio.create_task(service.broker.closed.wait(), name="closed")
    async with nullcontext() if started is None else beside(started(service), "started"):
        await asyncio.wait({closed, stopping}, return_when=asyncio.FIRST_COMPLETED)
    gave_up = closed.done()
    closed.cancel()
    if gave_up:
        logger.error("NATS is gone for good", error=service.broker.last_error)
        return 1
    return 0


def run(
    settings: Settings,
    started: Callable[[Service], Coroutine[Any, Any, None]] | None = None,
    create: ProviderFactory = providers.create,
    *,
    ends_process: bool = False,
) -> int:
    """Set up logs and event loop, serve on the provider that `create` opens, return the exit status.

    `ends_process`: nothing comes after it, so the process ends here where closing the event loop takes too long.

    Raises ConfigurationError, and OSError when the HTTP side cannot listen.
    """
    import uvloop  # noqa: PLC0415 - only a process that serves needs it

    ignore_proxies()
    sink = set_up_logs(settings.log, settings.secrets)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(serve(settings, started, create, sink))
        sink.output.settle()
        end = threading.Timer(_CLOSED_WITHIN, os._exit, (status,))
        end.daemon = True
        if ends_process:
            end.start()
            # All is answered. One that comes after the loop, which takes it until then, would change the exit status.
            runner.get_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, lambda *_: os._exit(status))
            # The interpreter restores what the system does by default, but where a signal is ignored.
            atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)
    end.cancel()
    return status
