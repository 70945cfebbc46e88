# SPDX-License-Identifier: MIT
"""What a waiting request is counted for, and what it takes: a full waiting room must leave a replica alive."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc

import pytest

from tests.support.slow import PREFIX, place

SMILE = "\U0001f600"
LONG = "a" * 20_000
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
STATE = ",".join(f"k{number}=" + "s" * 200 for number in range(32))
MANY = {**TRACE, "baggage": ",".join(f"k{number}=b" for number in range(180)), "tracestate": STATE}
WIDE = {**TRACE, "baggage": ",".join(f"k{number}=" + "b" * 4_000 + "%F0%9F%98%80" for number in range(2))}


def _update(city: str, *, escaped: bool = True) -> bytes:
    return json.dumps({"token": "ada", "user_metadata": {"city": city}}, ensure_ascii=escaped).encode()


WAITING = {
    "a name": ("user_metadata.read", b"ada", None),
    "a change": ("user_metadata.update", _update("Oslo"), None),
    "a trace": ("user_metadata.read", b"ada", TRACE),
    "baggage of many pairs": ("user_metadata.read", b"ada", MANY),
    "baggage of wide letters": ("user_metadata.read", b"ada", WIDE),
    "a long text": ("user_metadata.read", LONG.encode(), None),
    "a long text of wide letters": ("user_metadata.read", (SMILE + LONG).encode(), None),
    "a long field": ("user_metadata.update", _update(LONG), None),
    "a long field of wide letters": ("user_metadata.update", _update(SMILE + LONG, escaped=False), None),
    "a long field of escaped letters": ("user_metadata.update", _update(SMILE + LONG), None),
}


@pytest.mark.parametrize(("subject", "body", "headers"), WAITING.values(), ids=WAITING)
async def test_what_waits_takes_six_kib_and_five_times_what_it_is_counted_for_at_most(nats, subject, body, headers):
    gate = asyncio.Event()

    async def wait(_: str) -> None:
        await gate.wait()

    # They wait for as long as the test counts, however slow the machine is.
    async with place(nats.url, wait, max_concurrent_requests=1, timeout=3_600.0) as service:
        turns, key = service.broker.turns, f"{service.inbox}.x"
        service.replies[key] = []

        async def wait_too(many: int) -> tuple[int, int]:
            pending = turns.pending + many
            for _ in range(many):
                await service.client.publish(PREFIX + subject, body, reply=key, headers=headers)
            await service.until(lambda: turns.pending == pending)
            gc.collect()
            return tracemalloc.get_traced_memory()[0], turns._pending_bytes  # noqa: SLF001 - it shows nowhere else

        await service.send("user_metadata.read", b"ada")
        await service.until(lambda: turns.at_work == 1)
        tracemalloc.start()
        try:
            taken, counted = await wait_too(5)  # what is made once, caches above all
            taken_then, counted_then = await wait_too(100)
        finally:
            tracemalloc.stop()
        gate.set()
        assert taken_then - taken < 100 * 6 * 1024 + 5 * (counted_then - counted)
        assert counted_then - counted >= 100 * len(body)
        await service.all_replies()
