# SPDX-License-Identifier: MIT
"""A burst of small requests: the event loop deals with few of them in one turn, so that others have theirs."""

from __future__ import annotations

import asyncio

from tests.support.slow import PREFIX, at_once, place

MANY = 5_000


async def test_in_one_turn_of_the_loop_no_more_than_some_hundred_requests_are_answered(nats):
    async with place(nats.url, at_once) as service:
        counts = service.telemetry.requests.subjects["email_to_username"]
        key = f"{service.inbox}.x"
        service.replies[key] = []
        burst = f"PUB {PREFIX}email_to_username {key} 0\r\n\r\n".encode() * MANY
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
