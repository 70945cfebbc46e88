# SPDX-License-Identifier: MIT
"""A subscriber to one subject without a server: what it published, and when, is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from faststream import ContextRepo
from loguru import logger
from nats.aio.msg import Msg

from app.bus.gate import take_turn
from app.bus.subjects import PREFIX, Example, Subject
from app.bus.subscriber import SubjectSubscriber
from app.bus.turns import Turns
from app.domain.deadline import current_deadline
from app.domain.errors import UserNotFound
from app.observability.telemetry import Telemetry
from tests.support.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from app.observability.tracing import Tracing

NO_TRACE = {"a": "b"}


@contextlib.contextmanager
def records(level: str) -> Iterator[list[dict[str, Any]]]:
    kept: list[dict[str, Any]] = []
    handler = logger.add(lambda message: kept.append(message.record), level=level)
    try:
        yield kept
    finally:
        logger.remove(handler)


class Subscription:
    drained = 0

    async def drain(self) -> None:
        self.drained += 1


class Client:
    """What a subscriber needs of the client library; keeps what is published."""

    max_payload = 1000

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, float]] = []
        self.subscribed: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None
        self.subscription = Subscription()

    async def subscribe(self, subject: str, **options: Any) -> Subscription:
        self.subscribed.append((subject, options))
        return self.subscription

    async def publish(self, subject: str, body: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.published.append((subject, body, round(now(), 6)))


class Service:
    """A subscriber to one subject, whose requests live for 10 s."""

    def __init__(
        self,
        handler: Any,
        *,
        request: type[BaseModel] | None = None,
        at_once: int = 4,
        prefix: str = PREFIX,
        tracing: Tracing | None = None,
        **injected: Any,
    ):
        self.client = Client()
        self.turns = Turns(max_at_work=at_once, max_pending=10)
        self.telemetry = Telemetry(version="0", provider="none", tracing=tracing)
        instruments = self.telemetry.of_subject("test", lambda body: [body.decode()])
        declared = Subject(
            name="test",
            area="Test",
            handler=handler,
            request=request,
            reply=str,
            malformed="failed to unmarshal",
            example=Example("", ""),
            injected={name: name for name in injected},
            prefix=prefix,
        )
        self.subscriber = SubjectSubscriber(declared, self.turns, instruments, 10.0)
        self.context = ContextRepo()
        for name, service in injected.items():
            self.context.set_global(name, service)

    async def ask(self, body: bytes = b"ada", reply: str = "_INBOX.me", headers: dict[str, str] = NO_TRACE) -> None:
        if not self.client.subscribed:
            await self.subscriber.start(self.client, self.context)
        message = Msg(None, subject="lfx.auth-service.test", reply=reply, data=body, headers=headers)
        await self.subscriber.on_message(message)
        assert message.headers is None

    async def replies(self) -> list[Any]:
        await self.turns.finished()
        await self.subscriber.settle()
        return [json.loads(body) if body.startswith(b"{") else body.decode() for _, body, _ in self.client.published]

    def value(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(name, labels) or 0.0

    def outcomes(self) -> dict[str, float]:
        samples = [one for metric in self.telemetry.requests.collect() for one in metric.samples]
        counts = [one for one in samples if one.name == "auth_service_requests_total"]
        return {one.labels["outcome"]: one.value for one in counts if one.value}


async def echo(name: str) -> str:
    return f"hello {name}"


async def slow(name: str) -> str:
    await take_turn()
    await asyncio.sleep(float(name))
    return "done"


async def writing(name: str) -> str:
    await take_turn()
    current_deadline().commit()
    await asyncio.sleep(float(name))
    return "done"


async def refused_at_once(_: str) -> str:
    raise UserNotFound


async def refused_in_its_turn(_: str) -> str:
    await take_turn()
    raise UserNotFound


async def refused_later(name: str) -> str:
    await writing(name)
    raise UserNotFound
