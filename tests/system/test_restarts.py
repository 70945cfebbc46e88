"""Replicas replaced, and killed, under load: every request and every reply is counted."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.request

import nats as nats_py

from app.runtime.nats_server import free_port, nats_server
from tests.benchmarks.load import Load, Order
from tests.support.fleet import NO_MAIL, PREFIX, replaced_under_load, three_replicas

PATIENCE = 2.0
"""Seconds without a reply after which a caller gives a request up here; the slow replicas take 0.05."""


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


def _kept_by_the_dead(monitor: int) -> int:
    """How many requests NATS had delivered to the one connection of ours that has gone, less the replies it sent."""
    with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/connz?state=closed&limit=1000", timeout=5) as answer:
        closed = json.loads(answer.read())["connections"]
    (dead,) = [connection for connection in closed if connection.get("name") == "lfx-v2-auth-service"]
    return dead["out_msgs"] - dead["in_msgs"]


async def test_a_kill_loses_what_that_replica_had_in_hand_and_nothing_else(tmp_path):
    monitor = free_port()
    with nats_server(0, "-m", str(monitor)) as server:
        async with three_replicas(server.url, tmp_path) as fleet, await nats_py.connect(server.url) as client:
            load = Load(client, Order(f"{PREFIX}user_metadata.read", "0.05:nomail", NO_MAIL, 60, 3600), PATIENCE)
            asking = asyncio.create_task(load.run())
            await asyncio.sleep(1)
            await asyncio.to_thread(fleet.replicas.pop().end, signal.SIGKILL)
            await asyncio.sleep(1)
            load.stop()
            tally = await asking
            kept = await asyncio.to_thread(_kept_by_the_dead, monitor)
    assert 0 < tally.lost <= 60
    assert tally.lost == kept
    assert (tally.failed, tally.surplus, tally.replies) == (0, 0, tally.requests - kept)


async def test_a_caller_that_asks_again_after_a_kill_is_answered(nats, tmp_path):
    repeated = 0

    async with three_replicas(nats.url, tmp_path) as fleet, await nats_py.connect(nats.url) as client:

        async def ask() -> bytes:
            nonlocal repeated
            try:
                return (await client.request(f"{PREFIX}user_metadata.read", b"1:nomail", timeout=5)).data
            except TimeoutError:
                repeated += 1
            return (await client.request(f"{PREFIX}user_metadata.read", b"1:nomail", timeout=5)).data

        asked = [asyncio.create_task(ask()) for _ in range(60)]
        await asyncio.to_thread(
            fleet.replicas[0].until, lambda: "in_flight 0.0" not in fleet.replicas[0].get("/metrics")[1]
        )
        await asyncio.to_thread(fleet.replicas.pop(0).end, signal.SIGKILL)
        replies = await asyncio.gather(*asked)
    assert replies == [NO_MAIL.encode()] * 60
    assert 0 < repeated < 60
