# SPDX-License-Identifier: MIT
"""A plain connection to NATS for tests: when its `flush` returns, the server has all that was sent before.

nats-py's own client lets the PING of `flush` overtake what waits to be sent.
"""

from __future__ import annotations

from typing import Any

from app.bus.nats.client import DecodingClient


async def connect(servers: str | list[str], **options: Any) -> DecodingClient:
    """Return a connection; `options` are those of `nats.connect`."""
    client = DecodingClient()
    await client.connect(servers, **{"connect_timeout": 30, **options})
    return client
