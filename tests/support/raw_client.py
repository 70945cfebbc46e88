# SPDX-License-Identifier: MIT
"""A plain connection to NATS for tests: when its `flush` returns, the server has all that was sent before.

nats-py's own client lets the PING of `flush` overtake what waits to be sent. And it gives a request half a second by
default, a connection two and a call of JetStream five: a busy machine takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.bus.nats.client import DecodingClient

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

_PATIENCE = 30.0
"""Seconds, where a test names none."""


class _PatientClient(DecodingClient):
    async def request(self, *given: Any, **options: Any) -> Msg:
        return await super().request(*given, **{"timeout": _PATIENCE, **options})

    def jetstream(self, **options: Any) -> JetStreamContext:
        return super().jetstream(**{"timeout": _PATIENCE, **options})


async def connect(servers: str | list[str], **options: Any) -> DecodingClient:
    """Return a connection; `options` are those of `nats.connect`."""
    client = _PatientClient()
    await client.connect(servers, **{"connect_timeout": _PATIENCE, **options})
    return client
