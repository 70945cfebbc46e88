# SPDX-License-Identifier: MIT
"""Requests' bodies, of every subject, answered by the mock provider."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

from app.bus.bodies import strings_sent
from app.domain.deadline import Deadline, set_deadline
from app.main import create_broker
from app.observability.telemetry import Telemetry
from app.settings import Settings
from providers.mock import mock_provider
from tests.support.basics import ALIASES

BARE = {"email_to_username", "email_to_sub", "username_to_sub"}
REMADE_AFTER = 2_000
"""Requests: what they leave behind in the mock's memory is no part of a finding."""


class _Service:
    def __init__(self) -> None:
        settings = Settings(ALIASES)
        broker = create_broker(settings, mock_provider(settings), Telemetry(version="0", provider="mock"))
        self.subscribers = sorted(broker.subject_subscribers, key=lambda each: each.declaration.name)
        for subscriber in self.subscribers:
            subscriber._bind_services(broker.context)  # noqa: SLF001 - without a server nothing starts it
        self.served = 0


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


_services: list[_Service] = []


def read(data: bytes) -> None:
    """The first byte picks the subject, the rest is the body."""
    if not _services or _services[0].served > REMADE_AFTER:
        _services[:] = [_Service()]
    service = _services[0]
    service.served += 1
    subscriber: Any = service.subscribers[(data or b"\0")[0] % len(service.subscribers)]
    body = data[1:]
    strings_sent(subscriber.declaration.request, body)
    reply = _runner().run(_answer(subscriber, body))
    if subscriber.declaration.name in BARE and not reply.startswith(b"{"):
        assert reply.decode()
        return
    told = json.loads(reply)
    assert told["success"] is True or set(told) == {"success", "error"}, reply
    assert told.get("error") != "internal error"


async def _answer(subscriber: Any, body: bytes) -> bytes:
    set_deadline(Deadline(at=asyncio.get_running_loop().time() + 10))
    reply, _ = await subscriber.answer(body)
    return reply
