# SPDX-License-Identifier: MIT
"""The whole service on the tenant, asked over a real nats-server."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from app.main import running
from app.settings import Settings
from providers.auth0 import auth0_provider
from tests.providers.auth0.conftest import ready
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.domain.ports import Provider
    from app.observability.telemetry import Telemetry
    from providers import Dependencies

PREFIX = "lfx.auth-service."
UNAVAILABLE = "identity provider unavailable"


@dataclass
class Bus:
    """A client of the service, which counts the replies to each of its requests."""

    client: Client
    inboxes: str
    replies: dict[str, list[bytes]] = field(default_factory=dict)
    answered: dict[str, asyncio.Event] = field(default_factory=dict)
    telemetry: Telemetry | None = None

    async def listen(self) -> None:
        """Begin to take replies."""

        async def replied(message: Msg) -> None:
            self.replies[message.subject].append(message.data)
            self.answered[message.subject].set()

        await self.client.subscribe(f"{self.inboxes}.*", cb=replied, pending_msgs_limit=-1)

    async def ask(self, subject: str, body: Any) -> Any:
        """Return the first reply: the object, the bare text, and of a failure its error alone."""
        inbox = f"{self.inboxes}.{len(self.replies)}"
        self.replies[inbox], self.answered[inbox] = [], asyncio.Event()
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        await self.client.publish(PREFIX + subject, data, reply=inbox)
        async with asyncio.timeout(90):
            await self.answered[inbox].wait()
        reply = self.replies[inbox][0].decode()
        said = json.loads(reply) if reply.startswith("{") else reply
        if isinstance(said, dict) and said.get("success") is False:
            assert set(said) == {"success", "error"}
            return said["error"]
        return said

    def counted(self, metric: str) -> dict[str, float]:
        """Return how often each `outcome` of a counter was met, without those that were not."""
        assert self.telemetry is not None
        counts: Counter[str] = Counter()
        for family in self.telemetry.registry.collect():
            for sample in family.samples:
                if sample.name == metric and sample.value:
                    counts[sample.labels["outcome"]] += sample.value
        return dict(counts)

    async def ask_all(self, requests: dict[str, Any]) -> dict[str, Any]:
        """Send the requests at once, each under its subject and whatever follows a space; return the replies."""
        replies = await asyncio.gather(
            *(self.ask(subject.partition(" ")[0], body) for subject, body in requests.items())
        )
        return dict(zip(requests, replies, strict=True))


@asynccontextmanager
async def on_the_bus(
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    request_timeout: str = "",
) -> AsyncIterator[Bus]:
    """Run the service, set up by the environment; at the end every request must have had one reply and no more.

    A test in which the time of a request must end gives a short `request_timeout`.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request_timeout:
            patch.setenv("REQUEST_TIMEOUT", request_timeout)
        settings = Settings()
    client = await connect(settings.nats.servers[0])
    bus = Bus(client, client.new_inbox())

    @asynccontextmanager
    async def create(given: Settings, dependencies: Dependencies) -> AsyncIterator[Provider]:
        async with auth0_provider(given, dependencies.upstream, now, monotonic) as provider:
            await ready(provider)
            yield provider

    try:
        await bus.listen()
        async with running(settings, create) as service:
            await service.broker.start()
            bus.telemetry = service.telemetry
            yield bus
        # The service is drained: a second reply to anything would be here.
        await client.flush()
    finally:
        await client.close()
    assert {len(got) for got in bus.replies.values()} <= {1}
