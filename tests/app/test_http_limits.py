# SPDX-License-Identifier: MIT
"""The HTTP side under clients that mean it ill, byte by byte on a socket: limits, headers, and who is still served."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, suppress

import pytest

from app.documentation.page import assets
from app.http import create_pages, serving
from app.http_server import Limits
from app.main import documents
from app.settings import HttpSettings
from tests.support.waiting import PATIENCE

ANYWHERE = HttpSettings(port=0, bind="127.0.0.1")
ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
IN_TIME = 0.5
HASTY = Limits(head=IN_TIME, answer=IN_TIME)


@asynccontextmanager
async def _server(limits: Limits | None = None):
    """The HTTP side with its documents; gives what opens a connection."""
    pages = create_pages(lambda: {"nats": ""}, lambda: b"metric 1\n", documents().routes())
    writers = []
    async with serving(pages, ANYWHERE, limits) as port:

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
    async with asyncio.timeout(PATIENCE):
        return int((await reader.readline()).split()[1])


async def _ended(reader) -> bool:
    async with asyncio.timeout(PATIENCE):
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
    async with _server(HASTY) as connect:
        reader, writer = await connect()
        writer.write(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"405"

        async def send_for_ever() -> None:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                await asyncio.sleep(0.001)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_for_ever(), PATIENCE)


@pytest.mark.parametrize("before", [b"", ASK], ids=["at first", "after a request"])
@pytest.mark.parametrize("drip", [b"", b"GET /livez HTTP/1.1\r\nA: "], ids=["silent", "never ending"])
async def test_who_does_not_ask_in_time_is_cut_off(before, drip):
    async with _server(HASTY) as connect:
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
    async with _server(HASTY) as connect:
        reader, writer = await connect()
        writer.transport.pause_reading()
        writer.write(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 2_000)
        await asyncio.sleep(3 * IN_TIME)
        writer.transport.resume_reading()
        assert await _ended(reader)


async def test_who_asks_again_in_time_keeps_the_connection(monkeypatch):
    """By a clock of its own: whatever the machine is at, no more time passes."""
    now = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    async with _server(HASTY) as connect:
        reader, writer = await connect()
        for _ in range(6):
            writer.write(ASK)
            assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200")
            now += IN_TIME * 0.9


async def test_who_has_done_nothing_for_longest_makes_room():
    async with _server(Limits(connections=3)) as connect:
        silent = [(await connect())[0] for _ in range(2)]
        reader, writer = await connect()
        writer.write(ASK)
        await reader.readuntil(b"\r\n\r\nOK")
        for oldest in silent:
            await connect()
            assert await _ended(oldest)
        writer.write(ASK)
        assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200")


async def test_an_answer_is_whole_though_more_was_sent_than_anybody_reads():
    async with _server() as connect:
        reader, writer = await connect()
        writer.write(b"POST /docs HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.read()).endswith(b"\r\n\r\nMethod Not Allowed")


async def test_requests_sent_at_once_are_answered_in_their_order():
    async with _server() as connect:
        reader, writer = await connect()
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n + ASK for n in range(100)))
        async with asyncio.timeout(PATIENCE):
            for _ in range(100):
                assert (await reader.readuntil(b"\r\n\r\nNot Found")).startswith(b"HTTP/1.1 404")
                assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200")


async def test_what_breaks_while_a_page_is_made_is_told_and_the_next_client_served():
    def broken() -> bytes:
        raise LookupError

    pages = create_pages(dict, broken, {})
    async with serving(pages, ANYWHERE) as port:
        for path, status in (("/metrics", b"500"), ("/livez", b"200")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert (await reader.readline()).split()[1] == status
            writer.close()


async def test_health_does_not_wait_for_a_document_that_is_being_made():
    going_on, done = threading.Event(), threading.Event()

    def slow():
        going_on.set()
        assert done.wait(30)
        return "text/plain", b"made", {}

    async with serving(create_pages(dict, bytes, {"/docs": slow}), ANYWHERE) as port:

        async def ask(path: str) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer

        readers = [asyncio.create_task(ask("/docs")) for _ in range(3)]
        await asyncio.to_thread(going_on.wait, 30)
        assert [(await ask(path))[:12] for path in ("/livez", "/readyz", "/metrics")] == [b"HTTP/1.1 200"] * 3
        assert not any(reader.done() for reader in readers)
        done.set()
        assert {(await reader)[-4:] for reader in readers} == {b"made"}


STYLES = "/" + assets.address("page.css")


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/metrics",
        "/docs",
        "/docs/page.css",
        "/docs/page.css?000000000000",
        STYLES,
        "/asyncapi.yaml",
        "/asyncapi.json",
        "/nothing",
    ],
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
        assert headers["cache-control"] == ("public, max-age=31536000, immutable" if path == STYLES else "no-store")
        assert "server" not in headers
