# SPDX-License-Identifier: MIT
"""Replicas replaced, and killed, under load: every request and every reply is counted."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any

from tests.benchmarks.load import Load
from tests.support.fleet import ADDRESSES, reading, replaced_under_load, three_replicas
from tests.support.ports import free_port, nats_server
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE, until
from tests.system.processes import Process

PAGE = Path(__file__).parents[2] / "docs/operations/restarts.md"


async def test_three_replicas_replaced_ten_times_under_load_lose_and_fail_nothing(nats, tmp_path, capsys):
    course = await replaced_under_load(nats.url, tmp_path, rounds=10, at_least=20_000)
    with capsys.disabled():
        print(  # noqa: T201 - a figure to see, which decides nothing
            f"\n{course.replacing.sent} requests while 30 replicas were replaced: "
            f"p99 {course.replacing.p99:.0f} ms, before that {course.steady.p99:.0f} ms"
        )
    assert course.statuses == [0] * 30
    assert course.replacing.sent >= 20_000
    assert (course.steady.faults, course.replacing.faults) == (0, 0)
    assert [tally.replies for tally in course.replacing.tallies] == [
        tally.requests for tally in course.replacing.tallies
    ]


async def _kept_by_the_dead(monitor: int) -> int:
    """How many requests NATS had for the one connection of ours that has gone, less the replies it sent.

    One that NATS finds closed meanwhile counts too, though it then gives that request to another replica.
    """
    dead: list[dict[str, Any]] = []

    def are_there() -> bool:
        page = f"http://127.0.0.1:{monitor}/connz?state=closed&limit=1000"
        with urllib.request.urlopen(page, timeout=PATIENCE) as answer:
            closed = json.loads(answer.read())["connections"]
        dead[:] = [connection for connection in closed if connection.get("name") == "lfx-v2-auth-service"]
        return bool(dead)

    await until(lambda: asyncio.to_thread(are_there))
    (one,) = dead
    return one["out_msgs"] - one["in_msgs"]


async def test_a_kill_loses_what_that_replica_had_in_hand_and_nothing_else(tmp_path):
    monitor = free_port()
    with nats_server(0, "-m", str(monitor)) as server:
        async with three_replicas(server.url, tmp_path) as fleet, await connect(server.url) as client:
            load = Load(client, reading(60))
            asking = asyncio.create_task(load.run())
            await asyncio.sleep(1)
            await _killed_at_work(fleet.replicas.pop())
            await asyncio.sleep(1)
            load.stop()
            tally = await asking
            kept = await _kept_by_the_dead(monitor)
    assert 0 < tally.lost <= min(kept, 60)
    assert (tally.failed, tally.surplus, tally.replies) == (0, 0, tally.requests - tally.lost)


async def _killed_at_work(replica: Process) -> None:
    """Kill a replica that has requests in hand."""
    await asyncio.to_thread(replica.until, lambda: "requests_in_flight 0.0" not in replica.get("/metrics")[1])
    await asyncio.to_thread(replica.end, signal.SIGKILL)


def _as_the_page_says():
    """Return the function that the page shows callers."""
    (shown,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(shown, names)
    return names["ask"]


async def test_a_caller_that_asks_again_after_a_kill_as_the_page_shows_is_answered(nats, tmp_path):
    order, ask = reading(1), _as_the_page_says()
    async with three_replicas(nats.url, tmp_path, latency_ms=2000) as fleet, await connect(nats.url) as client:
        sent = client.stats["out_msgs"]
        asked = [asyncio.create_task(ask(client, order.subject, order.body.encode())) for _ in range(60)]
        await _killed_at_work(fleet.replicas.pop())
        replies = await asyncio.gather(*asked)
        repeated = client.stats["out_msgs"] - sent - 60
    assert replies == [ADDRESSES.encode()] * 60
    assert 0 < repeated < 60
