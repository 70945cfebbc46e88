# SPDX-License-Identifier: MIT
"""What comes again and again, errors of NATS above all, is logged once and then counted."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from app.bus import repetition
from app.bus.repetition import Repetition
from app.settings import LogSettings
from tests.support.accounts import accounts
from tests.support.logs import service_log
from tests.support.waiting import until

ODD_REPLY = ("a-" * 2_000)[:3_900]


class Log:
    """What is logged, as JSON."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def told(self, message: str) -> list[dict]:
        records = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [record for record in records if record["message"] == message]


@pytest.fixture
def log():
    found = Log()
    with service_log(LogSettings(), (), found.stream):
        yield found


async def test_of_replies_that_nats_refuses_the_first_is_told_and_how_many_came_after(log, tmp_path):
    with accounts(tmp_path) as bus:
        async with bus.service() as service, bus.user("LFX_ONE") as (client, _):
            for _ in range(20):
                await client.publish("lfx.auth-service.username_to_sub", b"ada", reply=ODD_REPLY)
            reply = await client.request("lfx.auth-service.username_to_sub", b"ada", timeout=60)
            assert reply.data == b"auth0|ada"
            await until(lambda: len(bus.violations()) == 20)
            await service.broker.connection.flush()
            assert len(log.told("NATS error")) == 1
        (again,) = log.told("NATS error again")
    assert again["times"] == 19
    assert again["error"].startswith('nats: permissions violation for publish to "a-a-')


async def test_a_period_without_any_ends_the_counting(log, monkeypatch):
    monkeypatch.setattr(repetition, "PERIOD", 0.05)
    some = Repetition("odd")
    for number in range(10):
        some.warn("a", f"the {number}th", at_once=2)
    assert [record["error"] for record in log.told("odd")] == ["the 0th", "the 1th"]
    await until(lambda: log.told("odd again"))
    assert [(record["times"], record["error"]) for record in log.told("odd again")] == [(8, "the 9th")]
    await until(lambda: not some._kinds)  # noqa: SLF001 - that it forgets shows nowhere else
    some.warn("a", "anew")
    assert log.told("odd")[-1]["error"] == "anew"
    some.close()


async def test_a_flood_is_a_line_a_period(log, monkeypatch):
    monkeypatch.setattr(repetition, "PERIOD", 0.05)
    some = Repetition("odd")
    sent = 0
    while len(log.told("odd again")) < 3:
        some.warn("a", "the same")
        sent += 1
        await asyncio.sleep(0.001)
    some.close()
    assert len(log.told("odd")) == 1
    assert 1 + sum(record["times"] for record in log.told("odd again")) == sent


async def test_kinds_are_bounded_and_what_was_counted_is_told_at_the_end(log):
    some = Repetition("odd")
    for number in range(1_000):
        some.warn(f"kind {number}", f"error {number}")
    some.close()
    assert len(log.told("odd")) == 17
    assert [record["times"] for record in log.told("odd again")] == [983]
