# SPDX-License-Identifier: MIT
"""Whose turn it is, without a broker: what a handler may do before its turn, and what happens when it does more."""

from __future__ import annotations

import asyncio

import pytest

from app.bus.gate import in_turn
from app.bus.turns import Turns, end
from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import InputRequired
from app.domain.ports import Absent
from tests.bus.subjects import INTERNAL, serving


@pytest.mark.parametrize(("at_once", "on_one_subject"), [(1, 1), (2, 1), (3, 2), (4, 3), (256, 192), (10, 7)])
def test_one_subject_takes_three_quarters_rounded_down_and_at_least_one(at_once, on_one_subject):
    assert Turns(max_at_work=at_once, max_pending=0).lane_limit == on_one_subject


def test_what_a_provider_lacks_stays_what_it_is():
    absent = Absent(InputRequired)
    assert in_turn(absent) is absent
    assert in_turn(None) is None


async def _sleep(_: str) -> str:
    await asyncio.sleep(0)
    return "slept"


async def _future(_: str) -> str:
    return await asyncio.get_running_loop().create_future()


async def _stubborn(_: str) -> str:
    try:
        await asyncio.sleep(10)
    finally:
        await asyncio.sleep(10)
    return "never"


async def _swallow(_: str) -> str:
    try:
        await asyncio.sleep(10)
    except RuntimeError:
        return "went on"
    return "never"


@pytest.mark.parametrize("handler", [_sleep, _future, _stubborn])
async def test_a_handler_that_waits_before_its_turn_is_an_internal_error(nats, handler):
    async with serving(nats.url, handler) as ask:
        assert await ask() == INTERNAL
        assert await ask() == INTERNAL


async def test_a_handler_that_catches_that_goes_on(nats):
    async with serving(nats.url, _swallow) as ask:
        assert await ask() == b"went on"


async def test_what_a_request_sets_in_its_context_stays_there(nats):
    seen = []

    async def handler(_: str) -> str:
        seen.append(current_deadline())
        set_deadline(Deadline())
        return "ok"

    async with serving(nats.url, handler) as ask:
        assert [await ask(), await ask()] == [b"ok", b"ok"]
    assert seen[0] is not seen[1]
    assert current_deadline() is not seen[1]


@pytest.mark.parametrize("result", ["\ud800", b"bytes", None, 5])
async def test_a_reply_that_cannot_be_encoded_is_an_internal_error(nats, result):
    async def handler(_: str) -> str:
        return result

    async with serving(nats.url, handler) as ask:
        assert await ask() == INTERNAL


async def test_a_reply_that_the_server_would_not_take_is_an_internal_error(nats):
    async def handler(_: str) -> str:
        return "x" * (1024 * 1024 + 1)

    async with serving(nats.url, handler) as ask:
        assert await ask() == INTERNAL


async def test_an_error_that_repeats_ill_formed_text_is_still_a_reply(nats):
    class Odd(InputRequired):
        wire = "odd \ud800"

    async def handler(_: str) -> str:
        raise Odd

    async with serving(nats.url, handler) as ask:
        assert await ask() == b'{"success":false,"error":"odd ?"}'


def test_a_coroutine_that_will_not_be_closed_disturbs_nobody():
    async def stubborn() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)

    coroutine = stubborn()
    coroutine.send(None)
    end(coroutine)
    with pytest.raises(GeneratorExit):
        coroutine.send(None)


async def test_a_deadline_grows_by_its_grace_once_a_write_was_sent():
    now = asyncio.get_running_loop().time()
    deadline = Deadline(at=now - 1, grace=100)
    assert deadline.remaining() == 0
    deadline.commit()
    assert 98 < deadline.remaining() <= 99


def test_outside_of_a_request_there_is_no_end():
    assert current_deadline().at == float("inf")
