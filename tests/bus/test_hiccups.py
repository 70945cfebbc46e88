# SPDX-License-Identifier: MIT
"""NATS that is slow, or goes away, at the wrong moment: nothing is given up for it, and nothing taken that is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest
from nats.errors import ConnectionReconnectingError, FlushTimeoutError, NoRespondersError

from app.bus.nats.client import ReconnectingClient
from tests.bus.subjects import broker_of
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.slow import PREFIX, place
from tests.support.waiting import PATIENCE, until

INFO = b'INFO {"max_payload":1048576,"headers":true}\r\n'


@asynccontextmanager
async def _server(answer):
    """A server that greets, and does with every line what `answer(number of the connection, line, writer)` says."""
    connections = 0

    async def serve(reader, writer) -> None:
        nonlocal connections
        connections += 1
        number = connections
        writer.write(INFO)
        while line := await reader.readline():
            await answer(number, line, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def _connected(url: str) -> ReconnectingClient:
    async def ignore(_: object) -> None: ...

    client = ReconnectingClient()
    options = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.01, "connect_timeout": PATIENCE}
    await client.connect([url], error_cb=ignore, **options)
    return client


async def test_a_pong_that_comes_after_its_flush_gave_up_ends_nothing():
    late = asyncio.Event()
    pings = 0

    async def answer(_, line, writer) -> None:
        nonlocal pings
        if line == b"PING\r\n":
            pings += 1
            if pings == 2:
                await late.wait()
            writer.write(b"PONG\r\n" if pings != 2 else b"PONG\r\nMSG a 1 2\r\nhi\r\n")

    heard = []

    async def hear(message) -> None:
        heard.append(message.data)

    async with _server(answer) as url:
        client = await _connected(url)
        await client.subscribe("a", cb=hear)
        with pytest.raises(FlushTimeoutError):
            await client.flush(0.1)
        late.set()
        await until(lambda: heard)
        await client.flush()
        assert (heard, client.stats["reconnects"]) == ([b"hi"], 0)
        await client.close()


async def _gone_once(number, line, writer) -> None:
    """Hang up at the first subscription."""
    if line.startswith(b"SUB") and number == 1:
        writer.close()
    elif line == b"PING\r\n":
        writer.write(b"PONG\r\n")


async def test_who_flushes_hears_at_once_that_the_connection_is_gone():
    async with _server(_gone_once) as url:
        client = await _connected(url)
        await client.subscribe("a")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionReconnectingError):
                await client.flush(3600)
        await until(lambda: client.is_connected)
        await client.flush()
        await client.close()


async def test_a_connection_that_is_lost_while_the_service_starts_is_made_again():
    async def handler(_: str) -> str:
        """Answer."""
        return ""

    async with _server(_gone_once) as url:
        broker = broker_of(url, handler)
        async with asyncio.timeout(PATIENCE):
            await broker.start()
        assert broker.state == ""
        assert broker.connection.stats["reconnects"] == 1
        await broker.drain(1)
        await broker.stop()


@pytest.mark.parametrize("silent", [True, False], ids=["silent first", "away first"])
async def test_a_service_that_drains_does_not_join_the_queue_group_again(silent):
    gate = asyncio.Event()

    async def wait(_: str) -> None:
        await gate.wait()

    with nats_server() as server:
        async with place(server.url, wait) as service:
            await service.send("user_metadata.read", b"nomail")
            await until(lambda: service.broker.turns.at_work == 1)
            if silent:
                os.kill(server.pid, signal.SIGSTOP)
            else:
                server.stop()
                await until(lambda: not service.broker.connection.is_connected)
            draining = asyncio.create_task(service.broker.drain(8))
            await asyncio.sleep(0.1)
            if silent:
                server.stop()
                await until(lambda: not service.broker.connection.is_connected)
            server.start()
            await until(lambda: service.broker.connection.is_connected)
            other = await connect(server.url)
            with pytest.raises(NoRespondersError):
                await other.request(PREFIX + "username_to_sub", b"ada", timeout=60)
            await other.close()
            gate.set()
            assert await draining


async def test_the_body_of_a_large_message_is_read_without_giving_way_for_each_part(nats, monkeypatch):
    gave_way = 0
    sleep = asyncio.sleep

    async def counting(seconds: float) -> None:
        nonlocal gave_way
        gave_way += seconds == 0
        await sleep(seconds)

    async with place(nats.url) as service:
        monkeypatch.setattr(asyncio, "sleep", counting)
        assert await service.ask("username_to_sub", b"ada".center(1_000_000)) == b"auth0|ada"
        monkeypatch.undo()
    assert gave_way < 10
