# SPDX-License-Identifier: MIT
"""What a server sends, in whatever pieces: every message arrives once, however odd its reply subject."""

from __future__ import annotations

import asyncio

import pytest
from nats.errors import ProtocolError

from app.bus.nats.parser import TolerantParser


class Client:
    """Keeps what the parser hands on."""

    is_reconnecting = False

    def __init__(self) -> None:
        self.got: list[tuple[int, bytes, bytes, bytes, bytes | None]] = []
        self.pings = 0

    async def _process_msg(self, sid, subject, reply, data, headers):
        self.got.append((sid, bytes(subject), bytes(reply), data, headers))

    async def _process_ping(self):
        self.pings += 1


def parsed(*pieces: bytes) -> Client:
    async def feed() -> Client:
        client = Client()
        parser = TolerantParser(client)
        for piece in pieces:
            await parser.parse(piece)
        return client

    return asyncio.run(feed())


NEXT = b"MSG b 2 4\r\nlast\r\nPING\r\n"
LAST = (2, b"b", b"", b"last", None)
LINES = {
    "a reply subject": (b"MSG a 1 r 3\r\nada\r\n", (1, b"a", b"r", b"ada", None)),
    "none": (b"MSG a 1 3\r\nada\r\n", (1, b"a", b"", b"ada", None)),
    "a form feed": (b"MSG a 1 r\x0cs 3\r\nada\r\n", (1, b"a", b"", b"ada", None)),
    "a vertical tab": (b"MSG a 17 \x0b 3\r\nada\r\n", (17, b"a", b"", b"ada", None)),
    "a carriage return": (b"MSG a 1 r\rs 3\r\nada\r\n", (1, b"a", b"", b"ada", None)),
    "no body": (b"MSG a 1 r\x0cs 0\r\n\r\n", (1, b"a", b"", b"", None)),
    "headers that go on like the line": (b"HMSG a 1 3 6\r\n0\r\nada\r\n", (1, b"a", b"", b"ada", b"0\r\n")),
    "such headers and a reply subject": (b"HMSG a 1 9 3 6\r\n0\r\nada\r\n", (1, b"a", b"9", b"ada", b"0\r\n")),
    "headers": (b"HMSG a 1 r 2 5\r\nh\nada\r\n", (1, b"a", b"r", b"ada", b"h\n")),
    "headers and a form feed": (b"HMSG a 1 r\x0cs 2 5\r\nh\nada\r\n", (1, b"a", b"", b"ada", b"h\n")),
    "headers and a form feed alone": (b"HMSG a 31 \x0c 2 5\r\nh\nada\r\n", (31, b"a", b"", b"ada", b"h\n")),
    "a body that looks like a line": (b"MSG a 1 \x0c 6\r\nMSG a\r\r\n", (1, b"a", b"", b"MSG a\r", None)),
}


@pytest.mark.parametrize("name", LINES)
def test_every_message_arrives_and_so_does_the_next(name):
    sent, message = LINES[name]
    for pieces in ([sent + NEXT], [sent, NEXT], [bytes((byte,)) for byte in sent + NEXT]):
        client = parsed(*pieces)
        assert client.got == [message, LAST]
        assert client.pings == 1


def test_headers_of_one_message_are_not_taken_for_the_next_ones():
    client = parsed(b"HMSG a 1 \x0c 2 5\r\nh\nada\r\nMSG a 1 \x0c 3\r\nada\r\n")
    assert [headers for *_, headers in client.got] == [b"h\n", None]


def test_behind_an_odd_line_there_may_be_more_than_a_line_may_hold():
    body = b"x" * 10_000
    client = parsed(b"MSG a 1 \x0c 10000\r\n" + body + b"\r\n" + NEXT)
    assert client.got == [(1, b"a", b"", body, None), LAST]


@pytest.mark.parametrize(
    "line",
    [
        b"MSG",
        b"MSG a",
        b"MSG a 1",
        b"MSG a x\x0c r 3",
        b"MSG a 1 r\x0c x",
        b"HMSG a 1 r\x0cs 5",
        b"HMSG a 1 r\x0c x 5",
        b"HMSG a 1\x0c 5",
        b"NSG a 1 r\x0cs 3",
        b"nothing",
        b"",
    ],
)
@pytest.mark.parametrize("after", [b"", b"x" * 5_000], ids=["alone", "with more behind it"])
def test_what_no_server_sends_is_told_as_such(line, after):
    with pytest.raises(ProtocolError):
        parsed(line + b"\r\n" + after)


def test_a_line_that_is_not_whole_is_waited_for():
    assert parsed(b"MSG a 1 r\x0cs 3").got == []
    assert parsed(b"MSG a 1 \x0c 3\r\nad").got == []


@pytest.mark.parametrize("line", [b"INFO ", b"-ERR '", b"MSG a 1 ", b"HMSG a 1 ", b""])
def test_a_line_without_end_is_not_waited_for(line):
    assert parsed(line, *[b"x" * 1_000] * 60).got == []
    with pytest.raises(ProtocolError):
        parsed(line, *[b"x" * 1_000] * 70)


@pytest.mark.parametrize("line", [b"MSG a 1 %d\r\n", b"HMSG a 1 r 9 %d\r\n", b"MSG a 1 r\x0cs %d\r\n"])
def test_a_message_that_no_server_can_be_configured_for_is_not_waited_for(line):
    most = 64 * 1024 * 1024
    assert parsed(line % most).got == []
    with pytest.raises(ProtocolError):
        parsed(line % (most + 1))
