# SPDX-License-Identifier: MIT
"""How often a loop that stands is told of, and that whoever reads its delay takes it from nobody else."""

from __future__ import annotations

import asyncio
import threading
import time

from prometheus_client import CollectorRegistry

from app.observability.loop_watch import watching
from tests.support.waiting import until

LAG = "auth_service_event_loop_lag_seconds"


def hold_the_loop(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def _in_a_thread(registry: CollectorRegistry) -> float:
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(registry.get_sample_value(LAG)))
    thread.start()
    thread.join()
    return found[0]


async def test_of_stalls_close_together_the_first_is_told_and_the_others_counted():
    told = []

    def tell(level, message, /, **fields):
        told.append((level, message, fields))

    with watching(CollectorRegistry(), tell, again=1_000):
        for _ in range(3):
            hold_the_loop(0.5)
            await asyncio.sleep(0.2)
        await until(lambda: len(told) >= 2)
    assert [message for _, message, _ in told] == ["the event loop stands", "the event loop goes on"]


async def test_how_many_were_not_told_is_said_with_the_next():
    told = []

    def tell(_level, _message, /, **fields):
        told.append(fields)

    with watching(CollectorRegistry(), tell, again=1.5):
        for _ in range(20):
            hold_the_loop(0.5)
            await asyncio.sleep(0.1)
            if sum(fields.get("untold_before", 0) for fields in told):
                break
    assert sum(fields.get("untold_before", 0) for fields in told) > 0


async def test_each_reader_is_told_the_worst_since_it_last_read_itself():
    registry = CollectorRegistry()
    with watching(registry, None):
        assert _in_a_thread(registry) >= 0
        assert registry.get_sample_value(LAG) >= 0
        await asyncio.sleep(0.1)
        hold_the_loop(3)
        await asyncio.sleep(0.1)
        assert registry.get_sample_value(LAG) >= 2.9
        assert registry.get_sample_value(LAG) < 2.9
        assert _in_a_thread(registry) >= 2.9
        assert registry.get_sample_value("auth_service_event_loop_stalls_total") >= 1


async def test_nothing_is_left_of_it_at_the_end():
    before = threading.active_count()
    with watching(CollectorRegistry(), lambda *_, **__: None):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
