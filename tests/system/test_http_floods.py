# SPDX-License-Identifier: MIT
"""Health, whatever others do on that port: a process, and crowds of clients that come again when they are cut off."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import until
from tests.system.processes import Process, process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.nats_server import NatsServer

ASK = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
PROBES = ("/livez", "/readyz", "/metrics")
ROUNDS = 3
CONNECTIONS = 256
"""How many the service has at most."""
PATIENCE = 60.0
"""Seconds that only a fault can reach: the service has bounds of two and ten."""

SENT = {
    "nothing": b"",
    "half a request line": b"GET /liv",
    "a byte of a header a second": ASK + b"A: ",
    "a head without its body": b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    "a thousand requests": (ASK + b"\r\n") * 1_000,
    "a thousand documents, unread": b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000,
}


@pytest.fixture(scope="module")
def service(nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4_096)), hard))
    with process(nats.url, tmp_path_factory.mktemp("floods")) as running:
        running.until_ready()
        for path in ("/docs", *PROBES):
            assert running.get(path)[0] == 200
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _files(service: Process) -> int:
    return len(list(Path(f"/proc/{service.popen.pid}/fd").iterdir()))


async def _dawdle(port: int, kind: str) -> None:
    """Be such a client until the service ends the connection."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError), socket.socket() as client:
        client.setblocking(False)  # noqa: FBT003 - its name says what is set
        await loop.sock_connect(client, ("127.0.0.1", port))
        sending = asyncio.create_task(loop.sock_sendall(client, SENT[kind]))
        try:
            if "second" in kind or "unread" in kind:
                while True:
                    await asyncio.sleep(1)
                    if sending.done():
                        client.send(b"b")
            while await loop.sock_recv(client, 65_536):
                pass
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _dawdle_for_ever(port: int, kind: str) -> None:
    while True:
        await _dawdle(port, kind)
        await asyncio.sleep(0.5)


def _statuses(port: int) -> list[int]:
    """Ask each path, as a probe does: from a thread of its own, which sends its request as soon as it is connected."""
    statuses = []
    for path in PROBES:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            statuses.append(connection.getresponse().status)
    return statuses


@pytest.mark.parametrize("crowd", [300, 1_000])
@pytest.mark.parametrize("kind", SENT)
async def test_health_is_answered_whatever_others_do(kind: str, crowd: int, service: Process):
    before = _files(service)
    dawdlers = [asyncio.create_task(_dawdle_for_ever(service.port, kind)) for _ in range(crowd)]
    await asyncio.sleep(0.5)
    statuses, most = [], 0
    for _ in range(ROUNDS):
        statuses += await asyncio.to_thread(_statuses, service.port)
        most = max(most, _files(service))
        await asyncio.sleep(0.1)
    for dawdler in dawdlers:
        dawdler.cancel()
    await asyncio.gather(*dawdlers, return_exceptions=True)
    assert statuses == [200] * ROUNDS * len(PROBES)
    assert most - before <= CONNECTIONS + 16
    await until(lambda: _files(service) <= before)


async def test_who_dawdles_is_cut_off_without_a_crowd_too(service: Process):
    before = _files(service)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_dawdle(service.port, kind) for kind in SENT for _ in range(5)))
    await until(lambda: _files(service) <= before)


def test_nothing_of_it_is_in_the_log(service: Process):
    told = {record["message"] for record in service.records() if record["level"] in {"warn", "error"}}
    assert {message for message in told if "mock provider" not in message} <= {
        "the event loop stands",  # a busy machine lets it wait for a processor
        "the event loop goes on",
    }
