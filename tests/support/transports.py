# SPDX-License-Identifier: MIT
"""How the cases reach the service: FastStream's test broker, or a raw client over a real nats-server."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from faststream.nats import TestNatsBroker

from app.main import create_broker, declare, services
from app.observability.telemetry import Telemetry
from app.settings import NatsSettings, WorkSettings
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.bus.broker import AuthBroker
    from app.domain.metadata import ProfileEvents
    from tests.support.worlds import World

PREFIX = "lfx.auth-service."
PROFILE_UPDATED = "lfx.user_profile.updated"


class Transport(Protocol):
    """A way to the service."""

    async def request(self, subject: str, body: bytes) -> bytes:
        """Return the reply's body."""

    async def events(self) -> list[dict[str, Any]]:
        """Return the events published so far."""

    def answering(self, world: World, url: str) -> AbstractAsyncContextManager[None]:
        """Let the service answer in a world; at the end nothing is under way, and the events are forgotten."""


class InMemory:
    """FastStream's test broker."""

    name = "memory"

    def __init__(self, broker: AuthBroker, published: ProfileEvents) -> None:
        self._broker = broker
        self._published = published
        self._events: list[bytes] = []

    async def request(self, subject: str, body: bytes) -> bytes:
        return bytes((await self._broker.request(body, PREFIX + subject, timeout=PATIENCE)).body)

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in self._events]

    @asynccontextmanager
    async def answering(self, world: World, url: str) -> AsyncIterator[None]:
        # The messages of the service stay in memory; what a provider needs of NATS it gets.
        settings = world.settings(url)
        async with world.provider(settings) as provider:
            for name, service in services(provider, self._published, settings.aliases).items():
                self._broker.context.set_global(name, service)
            yield
        self._events.clear()

    @classmethod
    @asynccontextmanager
    async def standing(cls, _: str = "") -> AsyncIterator[InMemory]:
        """Set up a broker with nothing behind it: that takes longer than most tests, and it keeps nothing of them."""
        telemetry = Telemetry(version="0", provider="none")
        broker, published = declare(NatsSettings(), WorkSettings(), telemetry)
        transport = cls(broker, published)

        @broker.subscriber(PROFILE_UPDATED, decoder=lambda message: message.body)
        async def take(event: bytes) -> None:
            transport._events.append(event)

        async with TestNatsBroker(broker):
            yield transport

    @classmethod
    @asynccontextmanager
    async def serving(cls, world: World, url: str) -> AsyncIterator[InMemory]:
        async with cls.standing() as transport, transport.answering(world, url):
            yield transport


class OverNats:
    """A raw client; counts the replies to each request."""

    name = "nats"

    def __init__(self, client: Client) -> None:
        self.client = client
        self._replies: dict[str, list[bytes]] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._events: list[bytes] = []

    async def request(self, subject: str, body: bytes) -> bytes:
        inbox = f"{self._inboxes}.{len(self._replies)}"
        self._replies[inbox], self._waiting[inbox] = [], asyncio.Event()
        await self.client.publish(PREFIX + subject, body, reply=inbox)
        async with asyncio.timeout(PATIENCE):
            await self._waiting[inbox].wait()
        return self._replies[inbox][0]

    async def events(self) -> list[dict[str, Any]]:
        await self.client.flush()
        return [json.loads(event) for event in self._events]

    def counts(self) -> set[int]:
        """Return how many replies the requests got."""
        return {len(replies) for replies in self._replies.values()}

    async def _listen(self) -> None:
        async def replied(message: Msg) -> None:
            self._replies[message.subject].append(message.data)
            self._waiting[message.subject].set()

        async def happened(message: Msg) -> None:
            self._events.append(message.data)

        self._inboxes = self.client.new_inbox()
        await self.client.subscribe(f"{self._inboxes}.*", cb=replied)
        await self.client.subscribe(PROFILE_UPDATED, cb=happened)
        await self.client.flush()

    @classmethod
    @asynccontextmanager
    async def standing(cls, url: str) -> AsyncIterator[OverNats]:
        """Connect; a service may answer there already."""
        client = await connect(url)
        transport = cls(client)
        try:
            await transport._listen()
            yield transport
            await transport._settled()
        finally:
            await client.close()

    async def _settled(self) -> None:
        # Once all is flushed, a second reply to anything would be here.
        await self.client.flush()
        assert self.counts() <= {1}
        self._events.clear()

    @asynccontextmanager
    async def answering(self, world: World, url: str) -> AsyncIterator[None]:
        settings = world.settings(url)
        async with world.provider(settings) as provider:
            broker = create_broker(settings, provider, Telemetry(version="0", provider=provider.name))
            try:
                await broker.start()
                yield
            finally:
                await broker.drain()
                await broker.stop()
        await self._settled()

    @classmethod
    @asynccontextmanager
    async def serving(cls, world: World, url: str) -> AsyncIterator[OverNats]:
        async with cls.standing(url) as transport, transport.answering(world, url):
            yield transport


TRANSPORTS = {transport.name: transport for transport in (InMemory, OverNats)}
