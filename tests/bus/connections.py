# SPDX-License-Identifier: MIT
"""Connections of the service's own client, and servers that are configured by a text."""

from __future__ import annotations

from app.bus.nats.client import ReconnectingClient
from tests.support.ports import nats_server
from tests.support.waiting import PATIENCE


async def ignore(_: object) -> None: ...


async def connected(url: str, **options) -> ReconnectingClient:
    client = ReconnectingClient()
    given = {"max_reconnect_attempts": 0, "reconnect_time_wait": 0.01, "error_cb": ignore, "connect_timeout": PATIENCE}
    await client.connect([url], **(given | options))
    return client


def configured(tmp_path, text: str):
    file = tmp_path / "nats.conf"
    file.write_text(text)
    return nats_server(0, "-c", str(file))
