# SPDX-License-Identifier: MIT
"""That the bench counts rightly: every request once, and what goes wrong as what it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import nats as client
import pytest

from tests.benchmarks import auth0, authelia, hostile, measure, telemetry
from tests.benchmarks.load import Load, Order, Tally
from tests.benchmarks.processes import echo, generator, service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.cli.dev.nats_server import NatsServer
    from tests.benchmarks.processes import Generator

_SUBJECT = "bench.test"


@pytest.fixture
def load(nats: NatsServer) -> Iterator[Generator]:
    with generator(nats.url) as process:
        yield process


@pytest.fixture
async def connection(nats: NatsServer) -> AsyncIterator[Client]:
    async with await client.connect(nats.url) as connected:
        yield connected


@pytest.fixture(scope="module")
def on_key_value(tmp_path_factory: pytest.TempPathFactory) -> Iterator[authelia.Place]:
    with authelia.place(tmp_path_factory.mktemp("authelia")) as place:
        yield place


def test_every_request_to_the_echo_and_to_the_service_gets_its_one_reply(load, nats, tmp_path: Path):
    with echo(nats.url, tmp_path), service(nats.url, tmp_path):
        tallies = [load.run(work.order(8, 0.05)) for work in (measure.ECHO, *measure.WORKS)]
    assert all(tally.requests >= 8 and tally.faultless for tally in tallies)


def test_what_is_published_at_once_is_counted_once(load, nats, tmp_path: Path):
    with echo(nats.url, tmp_path):
        tally = load.run(measure.ECHO.order(500))
    assert (tally.requests, tally.replies, measure.faults(tally)) == (500, 500, 0)


def test_a_slow_request_to_the_slow_service_is_answered(load, nats, tmp_path: Path):
    with service(nats.url, tmp_path, slow=True):
        tally = load.run(measure.slow(0.05).order(3))
    assert (tally.replies, measure.faults(tally)) == (3, 0)
    assert tally.p50 >= 50


def test_requests_to_a_tenant_are_counted_and_wait_side_by_side(nats, tmp_path: Path):
    with auth0.place(nats.url, tmp_path, users=40) as at:
        few = replace(auth0.DISTINCT, pairs=auth0.DISTINCT.pairs[:40])
        calls = at.tenant.stats()["calls"].get("users-by-email", 0)
        tally = at.load.run(few.order(40))
        by_token = auth0.reading(at, rounds=1, seconds=0.1, tokens=3)
        alike = auth0.identical(at)
        assert (tally.requests, tally.replies, measure.faults(tally)) == (40, 40, 0)
        assert at.tenant.stats()["calls"]["users-by-email"] - calls == 40
        assert at.tenant.stats()["most_in_flight"] > 1
    assert (by_token.faults, by_token.per_second > 0, by_token.tenant_cpu > 0) == (0, True, True)
    assert (alike.tally.replies, alike.faults, alike.calls <= 2) == (50, 0, True)


def test_a_call_too_many_for_identical_reads_is_a_fault():
    assert auth0.Identical(3, Tally(50, 50)).faults == 1


def test_reads_and_changes_on_key_value_stand_beside_the_same_on_the_mock(on_key_value: authelia.Place):
    rows = list(authelia.rows(on_key_value, rounds=1, seconds=0.05))
    assert [row.name for row in rows] == [
        "email_to_sub",
        "user_metadata.read by username",
        "user_metadata.read by subject",
        "user_metadata.read by token",
        "user_metadata.update",
        "user_metadata.update, one user",
    ]
    assert [row.faults for row in rows] == [0] * 6
    assert all(row.per_second > 0 and row.mock_per_second > 0 and row.cpu > 0 for row in rows)


@pytest.mark.parametrize("work", [authelia.UPDATE, authelia.UPDATE_ONE], ids=lambda work: work.name)
def test_every_change_is_one_write_to_the_bucket(on_key_value: authelia.Place, work: measure.Work):
    before = authelia.written(on_key_value.authelia.server)
    tallies = [on_key_value.authelia.load.run(authelia.anew(work).order(64)) for _ in range(2)]
    assert [(tally.replies, measure.faults(tally)) for tally in tallies] == [(64, 0), (64, 0)]
    assert authelia.written(on_key_value.authelia.server) - before == 128


def test_a_change_that_is_not_in_the_bucket_is_a_fault(on_key_value: authelia.Place):
    same = (('{"token":"authelia_at_user000","user_metadata":{"country":"NO"}}', '{"success":true'),)
    # The first is in the bucket since the warm-up; what changes nothing is answered and not written.
    (row,) = authelia.rows(on_key_value, 1, 0.05, (replace(authelia.UPDATE_ONE, pairs=same),))
    assert row.faults >= 64


async def test_bodies_take_turns_and_each_has_its_own_proper_reply(connection: Client):
    async def answer(message: Msg) -> None:
        await message.respond(b"for a" if message.data in (b"a", b"c") else b"for b")

    await connection.subscribe(_SUBJECT, cb=answer)
    order = Order(_SUBJECT, "", "", 6, pairs=[("a", "for a"), ("b", "for b"), ("c", "for c")])
    tally = await Load(connection, order).run()
    assert (tally.replies, tally.failed) == (6, 2)


def test_three_ways_to_run_the_service_are_compared_and_spans_come_to_the_collector(tmp_path: Path):
    costs, told = telemetry.costs(tmp_path, 2, 0.2)
    assert [cost.name for cost in costs] == [telemetry.NONE, telemetry.COUNTED, telemetry.TRACED]
    assert [cost.faults for cost in costs] == [0, 0, 0]
    assert [cost.ratio > 0 for cost in costs] == [True, True, True]
    assert 0 < told.spans < told.requests


async def test_an_improper_reply_is_a_failed_request(connection: Client):
    async def refuse(message: Msg) -> None:
        await message.respond(b"no")

    await connection.subscribe(_SUBJECT, cb=refuse)
    tally = await Load(connection, Order(_SUBJECT, "x", "yes", 5)).run()
    assert (tally.requests, tally.replies, tally.failed, tally.lost, tally.surplus) == (5, 5, 5, 0, 0)


async def test_a_second_reply_is_surplus(connection: Client):
    async def twice(message: Msg) -> None:
        await message.respond(b"yes")
        await message.respond(b"yes")

    await connection.subscribe(_SUBJECT, cb=twice)
    tally = await Load(connection, Order(_SUBJECT, "x", "yes", 5)).run()
    assert (tally.requests, tally.replies, tally.failed, tally.lost, tally.surplus) == (5, 10, 0, 0, 5)


async def test_a_request_without_a_reply_is_lost(connection: Client):
    seen = 0

    async def every_other(message: Msg) -> None:
        nonlocal seen
        seen += 1
        if seen % 2:
            await message.respond(b"yes")

    await connection.subscribe(_SUBJECT, cb=every_other)
    tally = await Load(connection, Order(_SUBJECT, "x", "yes", 6), patience=0.2).run()
    assert (tally.requests, tally.replies, tally.failed, tally.lost, tally.surplus) == (6, 3, 0, 3, 0)


async def test_as_many_requests_are_on_their_way_as_were_asked_for(connection: Client):
    at_once = most = 0
    slots: Counter[str] = Counter()
    answering: set[asyncio.Task[None]] = set()

    async def answer(message: Msg) -> None:
        nonlocal at_once
        await asyncio.sleep(0.01)
        at_once -= 1
        await message.respond(b"yes")

    async def on_message(message: Msg) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        slots[message.reply] += 1
        task = asyncio.create_task(answer(message))
        answering.add(task)
        task.add_done_callback(answering.discard)

    await connection.subscribe(_SUBJECT, cb=on_message)
    tally = await Load(connection, Order(_SUBJECT, "x", "yes", 7, 0.3)).run()
    assert (most, tally.faultless) == (7, True)
    assert [times > 1 for times in slots.values()] == [True] * 7


async def test_callers_who_pause_send_no_more_than_that_and_lose_nothing(connection: Client):
    async def answer(message: Msg) -> None:
        await message.respond(b"yes")

    await connection.subscribe(_SUBJECT, cb=answer)
    tally = await Load(connection, Order(_SUBJECT, "x", "yes", 3, 0.3, pause=0.1)).run()
    assert tally.faultless
    assert 3 <= tally.requests <= 3 * 4


def test_every_hostile_message_is_counted_and_everybody_beside_it(nats, tmp_path: Path):
    row = next(hostile.rows(nats.url, tmp_path, 1))
    assert (row.provider, row.kind, row.requests, row.faults) == ("mock", hostile.NOTHING, 16, 0)
    assert row.live > 0
    assert row.looked_up > 0
