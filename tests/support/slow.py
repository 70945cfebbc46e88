# SPDX-License-Identifier: MIT
"""The service in this process on the mock provider, with a directory that a test rules, and a raw client beside it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.bus.nats.client import ReconnectingClient
from app.domain.ports import Provider
from app.main import create_broker
from app.observability.telemetry import Telemetry
from app.settings import NatsSettings, Settings, WorkSettings
from providers.mock import mock_provider
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.bus.broker import AuthBroker

PREFIX = "lfx.auth-service."


class RuledDirectory:
    """The mock's users; `resolve` (`user_metadata.read`, `user_emails.read`) first does what the test wants."""

    def __init__(self, provider: Provider, before: Callable[[str], Awaitable[None]]) -> None:
        self._directory = provider.directory
        self._before = before

    async def resolve(self, reference: str) -> Any:
        await self._before(reference)
        return await self._directory.resolve(reference.rpartition(":")[2])

    async def of_caller(self, caller: Any) -> Any:
        return await self._directory.of_caller(caller)

    async def by_email(self, address: Any, *, fresh: bool = False) -> Any:
        return await self._directory.by_email(address, fresh=fresh)


@dataclass
class Place:
    """A running service, and a client that counts the replies to each of its requests."""

    broker: AuthBroker
    telemetry: Telemetry
    client: Client
    inbox: str
    replies: dict[str, list[bytes]] = field(default_factory=dict)

    async def send(self, subject: str, body: bytes = b"") -> str:
        """Publish a request; return the key of its replies."""
        key = f"{self.inbox}.{len(self.replies)}"
        self.replies[key] = []
        await self.client.publish(PREFIX + subject, body, reply=key)
        return key

    async def reply(self, key: str) -> bytes:
        """Return the first reply."""
        async with asyncio.timeout(PATIENCE):
            while not self.replies[key]:  # noqa: ASYNC110 - shared by all requests of the test
                await asyncio.sleep(0.005)
        return self.replies[key][0]

    async def ask(self, subject: str, body: bytes = b"") -> bytes:
        """Send a request and return its reply."""
        return await self.reply(await self.send(subject, body))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - whatever it is, it has no event
                await asyncio.sleep(0.005)

    async def all_replies(self) -> list[list[bytes]]:
        """Drain the service and return what every request got, in order: nothing can come afterwards."""
        await self.broker.drain()
        await self.broker.stop()
        await self.client.flush()
        return list(self.replies.values())


async def at_once(_: str) -> None:
    """Wait for nothing."""


@asynccontextmanager
async def place(url: str, before: Callable[[str], Awaitable[None]] = at_once, **work: Any) -> AsyncIterator[Place]:
    """Run the service while the context lasts; `before` is what a lookup by reference waits for."""
    settings = Settings(
        NatsSettings(servers=(url,), reconnect_wait=0.05, max_reconnect=-1),
        WorkSettings(**{"timeout": 60.0, **work}),
    )
    provider = mock_provider(settings)
    provider = replace(provider, directory=RuledDirectory(provider, before))
    telemetry = Telemetry(version="0", provider="mock")
    broker = create_broker(settings, provider, telemetry)
    client = ReconnectingClient()
    await client.connect([url], max_reconnect_attempts=-1, reconnect_time_wait=0.05)
    found = Place(broker, telemetry, client, client.new_inbox())

    async def replied(message: Msg) -> None:
        found.replies[message.subject].append(message.data)

    await client.subscribe(f"{found.inbox}.*", cb=replied, pending_msgs_limit=-1, pending_bytes_limit=-1)
    try:
        await broker.start()
        yield found
    finally:
        await broker.drain(1)
        await broker.stop()
        await client.close()
