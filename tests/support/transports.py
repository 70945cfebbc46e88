# SPDX-License-Identifier: MIT
"""How the cases reach the service: FastStream's test broker, or a raw client over a real nats-server."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import nats
from faststream.nats import TestNatsBroker

from app.main import create_broker
from app.observability.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.bus.broker import AuthBroker
    from tests.support.worlds import World

PREFIX = "lfx.auth-service."
PROFILE_UPDATED = "lfx.user_profile.updated"


class Transport(Protocol):
    """A way to the service."""

    async def request(self, subject: str, body: bytes) -> bytes:
        """Return the reply's body."""

    async def events(self) -> list[dict[str, Any]]:
        """Return the events published so far."""


class InMemory:
    """FastStream's test broker."""

    name = "memory"

    def __init__(self, broker: AuthBroker) -> None:
        self._broker = broker
        self._events: list[bytes] = []

    async def request(self, subject: str, body: bytes) -> bytes:
        return bytes((await self._broker.request(body, PREFIX + subject, timeout=30)).body)

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in self._events]

    @classmethod
    @asynccontextmanager
    async def serving(cls, world: World, url: str) -> AsyncIterator[InMemory]:
        # The messages of the service stay in memory; what a provider needs of NATS it gets.
        settings = world.settings(url)
        async with world.provider(settings) as provider:
            broker = create_broker(settings, provider, Telemetry(version="0", provider=provider.name))
            transport = cls(broker)

            @broker.subscriber(PROFILE_UPDATED, decoder=lambda message: message.body)
            async def take(event: bytes) -> None:
                transport._events.append(event)

            async with TestNatsBroker(broker):
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
        async with asyncio.timeout(30):
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
    async def connected(cls, url: str) -> AsyncIterator[OverNats]:
        """Connect to where a service answers already."""
        client = await nats.connect(url)
        transport = cls(client)
        try:
            await transport._listen()
            yield transport
        finally:
            # Once all is flushed, a second reply to anything would be here.
            await client.flush()
            await client.close()
        assert transport.counts() <= {1}

    @classmethod
    @asynccontextmanager
    async def serving(cls, world: World, url: str) -> AsyncIterator[OverNats]:
        settings = world.settings(url)
        async with world.provider(settings) as provider, cls.connected(url) as transport:
            broker = create_broker(settings, provider, Telemetry(version="0", provider=provider.name))
            try:
                await broker.start()
                yield transport
            finally:
                await broker.drain()
                await broker.stop()


TRANSPORTS = {transport.name: transport for transport in (InMemory, OverNats)}
