# SPDX-License-Identifier: MIT
"""A read that has begun to write is not cut off, whoever has lost patience with it: only the wait for it ends."""

from __future__ import annotations

import asyncio

import pytest
from loguru import logger

from app.bus.gate import take_turn
from app.domain.errors import ProviderUnavailable
from tests.providers.remembering.alone import ADA, Alone
from tests.providers.remembering.test_turns import FOUND, reading, remembered
from tests.support.virtual_time import in_virtual_time, now


@pytest.fixture
def logged():
    texts: list[str] = []
    handler = logger.add(lambda message: texts.append(message.record["message"]), level="WARNING")
    yield texts
    logger.remove(handler)


async def begun(patience: float = 1.0, **provider: float):
    """Return a service that has begun, at 0 s, to read somebody who was read before."""
    alone = Alone(patience=patience, turn=take_turn)
    service = reading(alone)
    await remembered(alone, service)
    for name, value in provider.items():
        setattr(alone.provider, name, value)
    await service.ask()
    return alone, service


@pytest.mark.parametrize("seconds", [2.0, 8.0, 12.0, 19.5])
@in_virtual_time
async def test_who_waits_for_a_write_gets_the_older_answer_and_the_write_ends_in_its_slot(seconds):
    alone, service = await begun(write_seconds=seconds)
    await asyncio.sleep(seconds - 0.1)
    assert [(body, at) for _, body, at in service.client.published] == [(FOUND.encode(), 1.0)]
    assert (alone.provider.writes, service.turns.at_work) == ([("begun", 0.0)], 1)
    await service.turns.finished()
    assert alone.provider.writes == [("begun", 0.0), ("ended", seconds)]
    assert [source for source, _ in alone.sources[1:]] == ["stale"]
    assert (len(alone.provider.asked), len(service.client.published)) == (1, 1)


@in_virtual_time
async def test_a_read_that_has_written_nothing_is_cut_off_and_its_slot_is_free(logged):
    alone, service = await begun(seconds=2.0, write_seconds=1.0)
    await asyncio.sleep(1.1)
    assert (alone.provider.writes, service.turns.at_work, len(service.client.published)) == ([], 0, 1)
    await asyncio.sleep(3.0)
    assert alone.provider.writes == [("begun", 3.0), ("ended", 4.0)]  # as a renewal
    assert [text for text in logged if "begun to write" in text] == []


@in_virtual_time
async def test_a_write_that_does_not_end_is_cut_off_after_the_time_of_another_request(logged):
    alone, service = await begun(write_seconds=99.0)
    await service.turns.finished()
    await asyncio.sleep(0.1)
    assert (now(), alone.provider.writes) == (pytest.approx(20.1), [("begun", 0.0)])
    assert (logged[-1], alone.provider.at_work) == ("a read failed that had begun to write", 0)


@pytest.mark.parametrize("error", [ProviderUnavailable(), ZeroDivisionError()])
@in_virtual_time
async def test_a_write_that_fails_after_the_reply_is_logged(error, logged):
    alone, service = await begun(write_seconds=3.0)
    alone.provider.error = error
    await service.turns.finished()
    told = {"a read failed that had begun to write", "a read for which nobody waits failed"}
    assert len(told & {*logged}) == 1
    assert len(service.client.published) == 1


@in_virtual_time
async def test_what_is_forgotten_by_the_write_itself_is_waited_for_and_asked_for_once():
    alone, service = await begun(write_seconds=3.0)
    await asyncio.sleep(0.5)
    alone.forgetting.note("auth0|ada")
    assert await service.replies() == [FOUND]
    assert (len(alone.provider.asked), service.client.published[0][2]) == (1, 3.0)
    await alone.forgetting.close()


@in_virtual_time
async def test_when_all_is_abandoned_nothing_is_left_at_work():
    alone, service = await begun(write_seconds=50.0)
    await asyncio.sleep(0.5)
    await service.ask()
    await asyncio.sleep(1.0)
    service.turns.abandon()
    await service.turns.finished()
    await asyncio.sleep(0)
    assert (now(), alone.provider.at_work, service.turns.at_work) == (pytest.approx(1.5), 0, 0)


@pytest.mark.parametrize(("write", "ended"), [(8.0, 14.0), (14.0, 20.0), (99.0, None)])
@in_virtual_time
async def test_a_renewal_that_has_begun_to_write_has_the_time_of_another_request(write, ended):
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds, alone.provider.write_seconds = 5.0, write
    assert await alone.read() == ADA
    await asyncio.sleep(30.0)
    assert alone.provider.writes == [("begun", 6.0), ("ended", ended)][: 1 + bool(ended)]
    assert alone.provider.at_work == 0
    await alone.renewals.close()


@in_virtual_time
async def test_a_renewal_that_has_begun_to_write_ends_before_the_service_does():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds, alone.provider.write_seconds = 5.0, 0.7
    await alone.read()
    await alone.renewals.settle()
    assert now() == pytest.approx(1.0)  # nothing is written yet
    await asyncio.sleep(5.5)
    await alone.renewals.settle()
    assert alone.provider.writes == [("begun", 6.0), ("ended", pytest.approx(6.7))]
    await alone.renewals.close()
