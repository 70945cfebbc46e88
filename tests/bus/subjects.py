# SPDX-License-Identifier: MIT
"""A broker with one subject of a test's own, over a real nats-server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.bus.broker import AuthBroker
from app.bus.router import Router
from app.bus.subjects import Example
from app.observability.telemetry import Telemetry
from app.settings import NatsSettings, WorkSettings
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

INTERNAL = b'{"success":false,"error":"internal error"}'


def broker_of(url: str, *handlers: Callable[..., Awaitable[Any]], **settings: Any) -> AuthBroker:
    """Return a broker that serves the subjects `test.0`, `test.1` and so on."""
    router = Router("Test")
    for number, handler in enumerate(handlers):
        router.subject(f"test.{number}", errors=(), example=Example(send="", reply=""))(handler)
    return AuthBroker(
        [router],
        nats=NatsSettings(servers=(url,), reconnect_wait=0.05, **settings),
        work=WorkSettings(timeout=10.0),
        telemetry=Telemetry(version="0", provider="none"),
    )


@asynccontextmanager
async def serving(url: str, handler: Callable[..., Awaitable[Any]]) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Serve `handler` while the context lasts; give what asks it. Nothing is answered twice."""
    broker = broker_of(url, handler)
    client = await connect(url)
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox)
    asked = 0

    async def ask() -> bytes:
        nonlocal asked
        asked += 1
        await client.publish("lfx.auth-service.test.0", b"body", reply=inbox)
        return (await replies.next_msg(timeout=60)).data

    try:
        await broker.start()
        yield ask
    finally:
        await broker.drain(5)
        await broker.stop()
        await client.flush()
        assert replies.delivered == asked
        await client.close()
