# SPDX-License-Identifier: MIT
"""What may not take an answer from somebody who was read before: other names' answers, slots that are taken, time."""

from __future__ import annotations

import asyncio
import math

import pytest
from pydantic import SecretStr

from app.domain.errors import ProviderUnavailable, UserNotFound
from app.domain.tokens import Caller
from app.domain.users import User
from tests.providers.remembering.alone import ADA, EDA, Alone
from tests.providers.remembering.replicas import replicas
from tests.support.virtual_time import in_virtual_time, now
from tests.support.waiting import until


@in_virtual_time
async def test_what_is_forgotten_while_a_slow_provider_is_tried_is_waited_for_as_ever():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds = 3.0
    reading = asyncio.create_task(alone.read())
    await asyncio.sleep(0.5)
    alone.forgetting.note("auth0|ada")
    assert await reading == ADA
    await alone.forgetting.close()


@in_virtual_time
async def test_a_change_that_one_name_shows_takes_no_answer_from_the_others():
    alone = Alone(fresh_for=60.0)
    for name in ("ada", "auth0|ada"):
        await alone.read(name)
    changed = User("auth0|ada", "ada", "new@example.org")
    alone.provider.people = [changed]
    alone.fresh_for = 0.0
    await alone.read("auth0|ada")
    alone.fresh_for = 60.0
    alone.asked()
    alone.provider.error = ProviderUnavailable()
    assert (await alone.read("ada"), alone.asked(), alone.sources[-1][0]) == (changed, 1, "stale")


@in_virtual_time
async def test_who_has_an_answer_at_hand_waits_for_a_turn_with_patience():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.waits, begun = 5.0, now()
    assert await alone.read() == ADA
    assert (now() - begun, alone.sources[-1][0]) == (pytest.approx(1.0), "stale")
    assert await alone.read("eda") == EDA
    assert (now() - begun, alone.sources[-1][0]) == (pytest.approx(6.0), "provider")
    alone.limited, begun, alone.turns = True, now(), 0
    assert (await alone.read(), now() - begun, alone.turns) == (ADA, 0.0, 0)


@pytest.mark.parametrize("waits", [0.0, 5.0, 20.0])
@in_virtual_time
async def test_an_answer_at_hand_is_given_within_the_requests_time_however_long_the_patience_is(waits):
    alone = Alone(patience=60.0)
    await alone.read()
    alone.waits, alone.provider.seconds, begun = waits, 60.0, now()
    assert await alone.read() == ADA
    assert now() - begun == pytest.approx(9.0)
    await alone.renewals.close()


@in_virtual_time
async def test_while_a_change_may_be_unheard_even_a_known_limit_waits_for_it():
    async def turn(_: float = math.inf) -> bool:
        if alone.unheard:
            alone.forgetting.note("auth0|ada")
        return True

    alone = Alone(turn=turn)
    await alone.read()
    alone.limited = alone.unheard = True
    assert (await alone.read(), alone.sources[-1][0]) == (ADA, "provider")
    await alone.forgetting.close()


@in_virtual_time
async def test_who_lost_the_answer_at_hand_gets_what_another_read_finds_before_its_turn():
    waits: list[float] = []

    async def turn(within: float = math.inf) -> bool:
        waits.append(within)
        if len(waits) == 2:
            alone.forgetting.note("auth0|ada")
            await asyncio.sleep(within)
            return False
        if len(waits) == 3:
            await alone.read()
            alone.provider.error = ProviderUnavailable()
        return True

    alone = Alone(patience=1.0, turn=turn)
    await alone.read()
    assert (await alone.read(), alone.sources[-1][0]) == (ADA, "stale")
    assert waits == [math.inf, 1.0, math.inf, math.inf]
    await alone.forgetting.close()


@pytest.mark.parametrize("had", [False, True])
@pytest.mark.parametrize("limited", [False, True])
@in_virtual_time
async def test_a_token_is_not_answered_with_who_has_got_its_username_meanwhile(had, limited):
    """Meanwhile: while the request waits for its turn, whether it has that in time or not, or for the provider."""
    somebody = User("auth0|new", "ada", "new@example.org")
    waits = False

    async def turn(within: float = math.inf) -> bool:
        if not waits or within == math.inf:
            return True
        await asyncio.sleep(2.0 if had else within)
        return had

    alone = Alone(patience=5.0, turn=turn)
    assert await alone.read("token auth0|ada ada") == ADA
    waits, alone.provider.seconds = limited or not had, 4.0
    reading = asyncio.create_task(alone.read("token auth0|ada ada"))
    await asyncio.sleep(1.0)
    waits, alone.provider.seconds, alone.provider.people = False, 0.0, [somebody]
    assert await alone.read("ada") == somebody
    alone.provider.error, alone.limited = ProviderUnavailable(), limited
    assert await reading is ProviderUnavailable


@in_virtual_time
async def test_a_caller_who_is_made_while_the_read_goes_on_is_not_remembered_as_nobody():
    alone = Alone(fresh_for=60.0)
    alone.provider.people = []
    alone.provider.seconds = 8.0
    asking = asyncio.create_task(alone.directory.of_caller(Caller("auth0|ada", SecretStr("x"))))
    await asyncio.sleep(1.0)
    alone.forgetting.note("auth0|ada")
    with pytest.raises(UserNotFound):
        await asking
    alone.provider.people, alone.provider.seconds = [ADA], 0.0
    assert await alone.read("auth0|ada") == ADA
    await alone.forgetting.close()


@pytest.mark.parametrize("pending", ["10", "1000"])
async def test_while_strangers_take_all_slots_of_a_provider_that_hangs_others_have_their_answers(pending, server, nats):
    bounds = {"MAX_CONCURRENT_REQUESTS": "4", "MAX_PENDING_REQUESTS": pending, "REQUEST_TIMEOUT": "30s"}
    async with replicas(server, nats.url, 1, READ_PATIENCE="200ms", **bounds) as service:
        before = await service.ask("user_metadata.read", "ada")
        server.tenant.faults.add("hang")
        strangers = []
        for number in range(40):
            strangers.append(asyncio.create_task(service.ask("user_metadata.read", f"stranger{number}")))
            await asyncio.sleep(0)
        await until(lambda: service.counted("auth_service_requests_pending") >= 10)
        assert [await service.ask("user_metadata.read", "ada") for _ in range(3)] == [before] * 3
        assert sum(not stranger.done() for stranger in strangers) >= 3  # they hold the subject's slots still
        server.tenant.faults.clear()
        assert not any(reply["success"] for reply in await asyncio.gather(*strangers))
