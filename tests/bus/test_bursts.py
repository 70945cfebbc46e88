# SPDX-License-Identifier: MIT
"""A burst of small requests: the event loop deals with few of them in one turn, so that others have theirs."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.slow import PREFIX, at_once, place

MANY = 5_000


def _request(reply, body):
    return f"PUB {PREFIX}email_to_username {reply} {len(body)}\r\n".encode() + body + b"\r\n"


@pytest.mark.parametrize("body", [b"", b"a" * 21, b"a" * 1_400], ids=["empty", "a line", "more than a line"])
async def test_in_one_turn_of_the_loop_no_more_than_some_hundred_requests_are_answered(nats, body):
    """Whole messages come in one read with the beginning of the next, whose body is read first."""
    async with place(nats.url, at_once) as service:
        counts = service.telemetry.requests.subjects["email_to_username"]
        key = f"{service.inbox}.x"
        service.replies[key] = []
        # One of another length first: else the ends of messages may fall on the ends of what is read.
        burst = _request(key, b"first") + _request(key, body) * (MANY - 1)
        async with asyncio.timeout(60):
            # Another connection hands all of it over at once: nothing of it waits for this loop.
            _, writer = await asyncio.open_connection("127.0.0.1", nats.port)
            writer.write(b'CONNECT {"verbose":false}\r\n' + burst + b"PING\r\n")
            await writer.drain()
            most = before = 0
            while counts.requests < MANY:
                await asyncio.sleep(0)
                most, before = max(most, counts.requests - before), counts.requests
            writer.close()
            await service.until(lambda: len(service.replies[key]) == MANY)
        assert most < 500
