# SPDX-License-Identifier: MIT
"""Replicas of the whole service on one tenant, asked over a real nats-server; who answers is the server's choice."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from app.main import running
from app.settings import Settings
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from tests.stand_ins.auth0 import Tenant, TenantServer

PREFIX = "lfx.auth-service."
FORGET = "lfx.auth-service.internal.forget"
UNAVAILABLE = {"success": False, "error": "identity provider unavailable"}
LIMITED = {"success": False, "error": "identity provider rate limit reached, try again later"}
NOT_FOUND = {"success": False, "error": "user not found"}
TIMED_OUT = {"success": False, "error": "request timed out"}


class Replicas:
    """The replicas, a client of theirs, and the tenant behind them."""

    def __init__(self, client: Client, services: list[Any], tenant: Tenant) -> None:
        self.client, self.services, self.tenant = client, services, tenant

    async def ask(self, subject: str, body: Any) -> Any:
        """Return the reply: the object, or the bare text."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        reply = (await self.client.request(PREFIX + subject, data, timeout=60)).data.decode()
        return json.loads(reply) if reply.startswith("{") else reply

    async def ask_in_time(self, subject: str, body: Any) -> Any:
        """Return the reply; where a busy machine let the request's time end first, ask again."""
        async with asyncio.timeout(PATIENCE):
            while (reply := await self.ask(subject, body)) == TIMED_OUT:
                pass
        return reply

    async def everywhere(self, subject: str, body: Any) -> Any:
        """Ask until every replica has answered; return the one reply that all of them gave."""
        replies, before = [], self._answered(subject)
        while not all(now > then for now, then in zip(self._answered(subject), before, strict=True)):
            replies += await asyncio.gather(*(self.ask_in_time(subject, body) for _ in self.services))
        assert all(reply == replies[0] for reply in replies), replies
        return replies[0]

    async def city(self, reference: str) -> str | None:
        """Return the city in a user's metadata."""
        return (await self.ask_in_time("user_metadata.read", reference))["data"].get("city")

    async def move(self, who: str, city: str) -> None:
        """Change a user's city through the service."""
        body = {"token": self.tenant.access_token(who), "user_metadata": {"city": city}}
        assert (await self.ask("user_metadata.update", body))["success"]

    def counted(self, metric: str, **labels: str) -> float:
        """Return the sum of a metric over all replicas."""
        registries = [service.telemetry.registry for service in self.services]
        return sum(registry.get_sample_value(metric, labels) or 0 for registry in registries)

    def _answered(self, subject: str) -> list[int]:
        return [service.telemetry.requests.subjects[subject].requests for service in self.services]


@asynccontextmanager
async def replicas(server: TenantServer, url: str, number: int, **variables: str) -> AsyncIterator[Replicas]:
    """Run so many replicas with these variables; return when all of them are ready."""
    given = {**server.tenant.environment(), "NATS_URL": url, "PORT": "0", "BIND": "127.0.0.1", **variables}
    given.setdefault("NATS_RECONNECT_WAIT", "50ms")
    given.setdefault("READ_PATIENCE", "10s")  # no machine is so busy that an older answer is given
    async with AsyncExitStack() as stack:
        with patch.dict(os.environ, given):
            services = []
            for _ in range(number):
                service = await stack.enter_async_context(running(Settings()))
                await service.broker.start()
                services.append(service)
            client = await connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.05)
            stack.push_async_callback(client.close)
            calls = server.tenant.records.calls
            await until(lambda: calls["jwks"] >= number and calls["token.client_credentials"] >= number)
            yield Replicas(client, services, server.tenant)
