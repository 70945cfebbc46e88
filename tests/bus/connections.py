# SPDX-License-Identifier: MIT
"""Connections of the service's own client, and servers that are configured by a text."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from app.bus.nats.client import ReconnectingClient
from tests.support.ports import nats_server
from tests.support.waiting import PATIENCE


async def ignore(_: object) -> None: ...


async def connected(url: str, **options) -> ReconnectingClient:
    client = ReconnectingClient()
    given = {"max_reconnect_attempts": 0, "reconnect_time_wait": 0.01, "error_cb": ignore, "connect_timeout": PATIENCE}
    await client.connect([url], **(given | options))
    return client


@asynccontextmanager
async def served(serve):
    """Yield the address at which `serve` takes each connection, as `asyncio.start_server` calls it."""
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def configured(tmp_path, text: str):
    file = tmp_path / "nats.conf"
    file.write_text(text)
    return nats_server(0, "-c", str(file))
