# SPDX-License-Identifier: MIT
"""A read asks the provider in its turn alone, whatever becomes of the answer that was at hand."""

from __future__ import annotations

import asyncio

import pytest

from app.bus.gate import take_turn
from app.domain.errors import Overloaded
from tests.bus.test_one_message import Service
from tests.providers.remembering.alone import Alone
from tests.support.virtual_time import in_virtual_time

FOUND = "ada@example.org"


def reading(alone: Alone) -> Service:
    """Return a service of three slots for this subject, which reads the user that is asked for."""

    async def read(name: str) -> str:
        return (await alone.directory.resolve(name)).primary_email

    return Service(read)


async def remembered(alone: Alone, service: Service) -> None:
    await service.ask()
    assert await service.replies() == [FOUND]
    service.client.published.clear()
    alone.provider.asked.clear()
    alone.provider.most_at_work = 0


@pytest.mark.parametrize("readers", [4, 8, 10])
@in_virtual_time
async def test_reads_whose_answer_is_forgotten_while_they_wait_wait_for_a_slot(readers):
    alone = Alone(patience=1.0, turn=take_turn)
    service = reading(alone)
    await remembered(alone, service)
    alone.provider.seconds = 2.0
    for name in [b"stranger"] * 3 + [b"ada"] * readers:
        await service.ask(name)
    await asyncio.sleep(0.5)
    alone.forgetting.note("auth0|ada")
    await asyncio.sleep(1.0)  # their patience is over
    assert (alone.provider.at_work, service.turns.at_work, service.turns.pending) == (3, 3, readers)
    alone.provider.seconds = 0.4
    replies = await service.replies()
    assert replies.count(FOUND) == readers
    assert alone.provider.most_at_work == 3
    await alone.forgetting.close()


@in_virtual_time
async def test_there_is_no_way_around_the_turn_with_a_full_waiting_room():
    alone = Alone(patience=1.0, turn=take_turn)
    service = reading(alone)
    await remembered(alone, service)
    alone.provider.seconds = 1.0
    for name in [b"stranger"] * 13 + [b"ada"] * 2:
        await service.ask(name)
    alone.forgetting.note("auth0|ada")  # before they were passed over, which is at once
    replies = await service.replies()
    assert [reply for reply in replies if "found" not in str(reply)] == [
        {"success": False, "error": Overloaded.wire}
    ] * 2
    assert alone.provider.most_at_work == 3
    await alone.forgetting.close()


@in_virtual_time
async def test_who_had_nothing_at_hand_and_waited_has_the_provider_asked_though_another_read_was_quicker():
    alone = Alone(patience=1.0, turn=take_turn)
    service = reading(alone)
    alone.provider.seconds = 0.5
    for _ in range(5):
        await service.ask()
    assert await service.replies() == [FOUND] * 5
    assert (len(alone.provider.asked), {source for source, _ in alone.sources}) == (5, {"provider"})


@in_virtual_time
async def test_while_messages_are_unheard_an_answer_at_hand_is_given_without_a_turn():
    alone = Alone(patience=1.0, turn=take_turn)
    service = reading(alone)
    await remembered(alone, service)
    alone.provider.seconds, alone.unheard = 1.5, True
    for name in [b"stranger"] * 3 + [b"ada"] * 11:  # one more than may wait
        await service.ask(name)
    await asyncio.sleep(1.2)
    assert [body.decode() for _, body, _ in service.client.published] == [FOUND] * 11
    await service.replies()
