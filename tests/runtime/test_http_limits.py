# SPDX-License-Identifier: MIT
"""The HTTP side under clients that mean it ill, byte by byte on a socket: limits, headers, and who is still served."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from app.main import documents
from app.runtime.http import create_app, serving
from app.settings import HttpSettings

ANYWHERE = HttpSettings(port=0, bind="127.0.0.1")
ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 0.5


@asynccontextmanager
async def _server(patience: float = 10.0):
    """The HTTP side with its documents; gives what opens a connection."""
    app = create_app(lambda: {"nats": ""}, lambda: b"metric 1\n", documents().routes())
    writers = []
    async with serving(app, ANYWHERE, patience) as port:

        async def connect():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        yield connect
    for writer in writers:
        writer.transport.abort()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def _status(connect, head: bytes, body: bytes = b"") -> int:
    reader, writer = await connect()
    writer.write(head + body)
    async with asyncio.timeout(10):
        return int((await reader.readline()).split()[1])


async def _ended(reader) -> bool:
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):
            await reader.read()
    return True


async def _well(connect) -> bool:
    return await _status(connect, ASK) == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 600_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 600_000 + b"\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100_000 + b"\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET http://elsewhere.example/livez HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /docs/../livez HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /docs/%2e%2e/livez HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /docs/..%2fpage.css HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n", 405),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200),
    ],
)
async def test_what_is_too_long_or_none_at_all_is_refused_and_the_next_client_served(head, status):
    async with _server() as connect:
        assert await _status(connect, head) == status
        assert await _well(connect)


async def test_who_sends_a_body_without_end_is_answered_and_cut_off():
    async with _server(PATIENCE) as connect:
        reader, writer = await connect()
        writer.write(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"405"

        async def send_for_ever() -> None:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                await asyncio.sleep(0.001)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_for_ever(), 10)


@pytest.mark.parametrize("before", [b"", ASK], ids=["at first", "after a request"])
@pytest.mark.parametrize("drip", [b"", b"GET /livez HTTP/1.1\r\nA: "], ids=["silent", "never ending"])
async def test_who_does_not_ask_in_time_is_cut_off(before, drip):
    async with _server(PATIENCE) as connect:
        reader, writer = await connect()
        writer.write(before + drip)

        async def drop_by_drop() -> None:
            while drip:
                writer.write(b"b")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drop_by_drop())
        assert await _ended(reader)
        dripping.cancel()


async def test_who_does_not_read_in_time_is_cut_off():
    async with _server(PATIENCE) as connect:
        reader, writer = await connect()
        writer.transport.pause_reading()
        writer.write(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000)
        await asyncio.sleep(3 * PATIENCE)
        writer.transport.resume_reading()
        assert await _ended(reader)


async def test_who_asks_again_in_time_keeps_the_connection():
    async with _server(PATIENCE) as connect:
        reader, writer = await connect()
        for _ in range(6):
            writer.write(ASK)
            assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(PATIENCE / 4)


async def test_dawdlers_in_any_number_shut_the_probes_out_for_no_longer_than_that():
    async with _server(PATIENCE) as connect:
        for _ in range(300):
            _, writer = await connect()
            writer.write(b"GET /livez HTTP/1.1\r\n")
        assert await _status(connect, ASK) == 503
        async with asyncio.timeout(10):
            while not await _well(connect):  # noqa: ASYNC110 - nothing tells when there is room again
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/docs", "/docs/page.css", "/asyncapi.yaml", "/asyncapi.json", "/nothing"]
)
async def test_every_response_forbids_what_nobody_needs(path):
    async with _server() as connect:
        reader, writer = await connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")[1:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == (
            "public, max-age=31536000, immutable" if path == "/docs/page.css" else "no-store"
        )
        assert "server" not in headers
