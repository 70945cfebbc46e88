# SPDX-License-Identifier: MIT
"""Replicas of the service on Authelia in this process, asked over the bus; who answers is the server's choice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.main import running
from app.settings import HttpSettings, NatsSettings, WorkSettings
from app.settings.reads import ReadSettings
from providers.authelia import authelia_provider
from providers.authelia.cluster.pace import Pace
from providers.remembering import Remembering
from tests.support.raw_client import connect
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from app.settings import Settings
    from tests.support.authelia import Stage

PREFIX = "lfx.auth-service."
NOTHING = ReadSettings(stale_for=0)


class Replicas:
    """The replicas, and a client of theirs."""

    def __init__(self, client: Client, services: list[Any], providers: list[Any]) -> None:
        self.client, self.services, self.providers = client, services, providers

    async def ask(self, subject: str, body: Any) -> Any:
        """Return the reply: the object, or the bare text."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        reply = (await self.client.request(PREFIX + subject, data, timeout=120)).data.decode()
        return json.loads(reply) if reply.startswith("{") else reply

    async def all_at_once(self, subject: str, bodies: list[Any]) -> Counter[str]:
        """Return how often each reply came, and assert that every replica had a part in it."""
        before = [_handled(service, subject) for service in self.services]
        replies = await asyncio.gather(*(self.ask(subject, body) for body in bodies))
        after = [_handled(service, subject) for service in self.services]
        assert all(now > then for now, then in zip(after, before, strict=True))
        return Counter(reply.get("error", "success") for reply in replies)


def _handled(service: Any, subject: str) -> float:
    lines = service.telemetry.exposition().decode().splitlines()
    counts = [line for line in lines if line.startswith("auth_service_requests_total{") and f'"{subject}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in counts)


@asynccontextmanager
async def _service(settings: Settings, stage: Stage, providers: list[Any]) -> AsyncIterator[Any]:
    @asynccontextmanager
    async def create(given: Any, dependencies: Any) -> AsyncIterator[Any]:
        async with (
            aclosing(Remembering(given.reads, dependencies.reads)) as memory,
            authelia_provider(
                given, replace(dependencies, changes=memory), kubernetes=stage.api, pace=Pace(gather=0.3)
            ) as provider,
        ):
            providers.append(provider)
            yield memory.over(provider)

    async with running(settings, create) as service:
        await service.broker.start()
        yield service


@asynccontextmanager
async def replicas_of(
    stage: Stage,
    number: int,
    servers: tuple[str, ...] = (),
    seconds: float = 100.0,
    reads: ReadSettings = NOTHING,
    **authelia: Any,
) -> AsyncIterator[Replicas]:
    """Run so many replicas, with these settings of the provider; return when all of them are ready.

    `servers`: where NATS is, unless it is where the stage says; `seconds`: the time of a request; `reads`: what is
    remembered, nothing unless given.
    """
    settings = stage.settings(**authelia)
    settings.nats = NatsSettings(servers=servers or (stage.url,))
    settings.http = HttpSettings(port=0, bind="127.0.0.1")
    settings.work = WorkSettings(timeout=seconds)
    settings.reads = reads
    providers: list[Any] = []
    client = await connect(list(settings.nats.servers))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        services = [await stack.enter_async_context(_service(settings, stage, providers)) for _ in range(number)]
        await until(lambda: all(not any(p.readiness().values()) for p in providers), 120)
        yield Replicas(client, services, providers)
