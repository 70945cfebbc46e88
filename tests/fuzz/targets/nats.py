# SPDX-License-Identifier: MIT
"""Messages as a server hands them on: whatever a publisher chose of one, it is delivered, and so is the next."""

from __future__ import annotations

import asyncio
from typing import Any

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.parser import TolerantParser
from app.bus.replies import encode_failure
from app.bus.subjects import is_inbox
from app.observability.tracing import PROPAGATORS, Tracing

LONGEST_LINE = 3_900
"""Bytes of a reply subject: a server takes no line of more than 4 KiB."""

TRACINGS = (Tracing(), Tracing(PROPAGATORS))


class Receiving(ReconnectingClient):
    """Takes note of what is delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[tuple[int, bytes, bytes]] = []

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> None:
        message = self._build_message(sid, subject, reply, data, await self._process_headers(headers))
        assert message is not None
        for tracing in TRACINGS:
            tracing.begin(message.headers)
        assert is_inbox(message.reply) in {True, False}
        assert encode_failure(message.reply)
        self.got.append((sid, subject, message.data))


def read(data: bytes) -> None:
    """The first line is the reply subject, the second how much is read at a time, the rest headers and the body."""
    reply, _, rest = data.partition(b"\n")
    step, _, headers = rest.partition(b"\n")
    # What separates the parts of a line is in none of them.
    reply = b"".join(reply.replace(b"\r", b"\v").split(b" ")).replace(b"\t", b"")[:LONGEST_LINE]
    asyncio.run(_deliver(reply, headers, 1 + len(step) % 64))


async def _deliver(reply: bytes, headers: bytes, step: int) -> None:
    client = Receiving()
    parser = TolerantParser(client)
    sent = b"".join(
        (
            b"HMSG lfx.a 1 %b%d %d\r\n" % (reply + b" " if reply else b"", len(headers), len(headers) + 4),
            headers + b"body\r\n",
            b"MSG lfx.b 2 %b%d\r\n" % (reply + b" " if reply else b"", len(headers)),
            headers + b"\r\n",
            b"MSG lfx.c 3 4\r\nlast\r\n",
        )
    )
    # At first a few bytes at a time, so that a line comes in parts.
    for start in range(0, min(len(sent), 64 * step), step):
        await parser.parse(sent[start : start + step])
    await parser.parse(sent[64 * step :])
    assert client.got == [(1, b"lfx.a", b"body"), (2, b"lfx.b", headers), (3, b"lfx.c", b"last")]
