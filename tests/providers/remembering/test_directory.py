# SPDX-License-Identifier: MIT
"""When a remembered answer is given, and when the provider's: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio

import pytest
from loguru import logger
from pydantic import SecretStr

from app.domain.errors import InvalidToken, ProviderUnavailable, RateLimited, UserNotFound
from app.domain.reads import Meant
from app.domain.tokens import Caller
from app.domain.users import Address, User
from providers.remembering.outages import Outage
from tests.providers.remembering.alone import ADA, EDA, Alone
from tests.support.virtual_time import in_virtual_time, now

ADDRESS = Address("ada@example.org")


@in_virtual_time
async def test_while_the_provider_answers_it_is_asked_every_time():
    alone = Alone()
    assert [await alone.read(), await alone.read()] == [ADA, ADA]
    assert (alone.asked(), alone.turns, alone.sources) == (2, 2, [("provider", 0.0)] * 2)


@in_virtual_time
async def test_what_was_read_lately_stands_in_for_a_call_and_needs_no_turn():
    alone = Alone(fresh_for=5.0)
    await alone.read()
    await asyncio.sleep(5.0)
    assert await alone.read() == ADA
    assert (alone.asked(), alone.turns, alone.sources[1:]) == (1, 1, [("fresh", 0.0)])
    await asyncio.sleep(0.1)
    assert await alone.read() == ADA
    assert (alone.asked(), alone.turns) == (1, 2)


@pytest.mark.parametrize("error", [ProviderUnavailable, RateLimited])
@in_virtual_time
async def test_what_was_read_before_stands_in_for_a_failure_for_so_long(error):
    alone = Alone(stale_for=100.0)
    await alone.read()
    alone.provider.error = error()
    await asyncio.sleep(100.0)
    assert await alone.read() == ADA
    assert alone.sources == [("provider", 0.0), ("stale", 100.0)]
    await asyncio.sleep(0.1)
    assert await alone.read() is error
    assert await alone.read("eda") is error
    assert alone.outage.state.startswith("stale answers are given: 1 in ")


@in_virtual_time
async def test_a_machine_that_has_just_been_started_gives_older_answers_too():
    """A clock that never jumps may begin at zero when the machine does."""
    alone = Alone(stale_for=100.0, begun=0.0)
    await alone.read()
    alone.provider.error = ProviderUnavailable()
    await asyncio.sleep(1.0)
    assert await alone.read() == ADA


@in_virtual_time
async def test_without_a_time_for_stale_answers_there_are_none():
    alone = Alone(stale_for=0.0)
    await alone.read()
    alone.provider.error = ProviderUnavailable()
    assert await alone.read() is ProviderUnavailable


@in_virtual_time
async def test_a_refusal_is_an_answer_and_no_failure():
    alone = Alone()
    await alone.read()
    alone.provider.error = InvalidToken()
    assert await alone.read() is InvalidToken
    assert alone.outage.failing is False


@in_virtual_time
async def test_that_there_is_nobody_is_an_answer_and_no_failure():
    alone = Alone()
    alone.outage.failing = True
    assert (await alone.read("nobody"), alone.outage.failing) == (UserNotFound, False)


@in_virtual_time
async def test_who_is_gone_is_gone_and_the_others_are_told():
    alone = Alone(fresh_for=5.0)
    await alone.read()
    alone.provider.people = [EDA]
    await asyncio.sleep(5.1)
    assert await alone.read() is UserNotFound
    await asyncio.sleep(0)
    assert len(alone.told) == 1
    alone.provider.error = ProviderUnavailable()
    assert await alone.read() is UserNotFound  # that there is nobody is remembered too
    await asyncio.sleep(5.1)
    assert await alone.read() is ProviderUnavailable
    assert len(alone.told) == 1


@in_virtual_time
async def test_that_there_is_nobody_stands_in_for_a_call_for_five_seconds_at_most():
    alone = Alone(fresh_for=60.0)
    await alone.read("nobody")
    alone.asked()
    await asyncio.sleep(5.0)
    assert (await alone.read("nobody"), alone.asked(), alone.sources[-1]) == (UserNotFound, 0, ("fresh", 0.0))
    await asyncio.sleep(0.1)
    assert (await alone.read("nobody"), alone.asked()) == (UserNotFound, 1)


@in_virtual_time
async def test_that_there_is_nobody_stands_in_for_no_call_where_nothing_does():
    alone = Alone()
    await alone.read("nobody")
    assert (await alone.read("nobody"), alone.asked()) == (UserNotFound, 2)


@in_virtual_time
async def test_a_provider_that_is_slow_is_tried_with_patience_and_read_on_for_memory():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds = 3.0
    alone.provider.people = [User("auth0|ada", "ada", "new@example.org"), EDA]
    begun = now()
    assert await alone.read() == ADA
    assert (now() - begun, alone.outage.failing) == (pytest.approx(1.0), True)
    await asyncio.sleep(1.0)
    alone.asked()
    assert await alone.read() == ADA
    assert alone.asked() == 1  # one renewal a key
    await asyncio.sleep(1.5)
    assert alone.outage.failing is False
    alone.provider.error = ProviderUnavailable()
    alone.provider.seconds = 0.0
    assert (await alone.read()).primary_email == "new@example.org"
    await alone.renewals.close()


@in_virtual_time
async def test_once_a_renewal_has_ended_there_may_be_another():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds = 3.0
    for _ in range(3):
        alone.asked()
        assert await alone.read() == ADA
        assert alone.asked() == 1
        await asyncio.sleep(4.0)
        assert alone.asked() == 1
    await alone.renewals.close()


@in_virtual_time
async def test_two_subjects_are_remembered_apart():
    alone = Alone(fresh_for=5.0)
    for _ in range(2):
        assert [await alone.read(f"auth0|{name}") for name in ("ada", "eda")] == [ADA, EDA]
    assert alone.asked() == 2


@in_virtual_time
async def test_a_renewal_has_the_time_of_a_request_and_fails_for_itself():
    alone = Alone(patience=1.0)
    await alone.read()
    alone.provider.seconds = 60.0
    lines: list[str] = []
    handler = logger.add(lines.append, level="DEBUG", format="{message}")
    assert await alone.read() == ADA
    await asyncio.sleep(9.9)
    assert not any("renewed" in line for line in lines)
    await asyncio.sleep(0.2)
    assert sum("renewed" in line for line in lines) == 1
    logger.remove(handler)


@in_virtual_time
async def test_renewals_are_bounded_and_end_with_the_directory():
    alone = Alone(patience=1.0)
    names = [f"user{number}" for number in range(20)]
    alone.provider.people = [User(f"auth0|{name}", name) for name in names]
    for name in names:
        await alone.read(name)
    alone.provider.seconds = 60.0
    alone.asked()
    await asyncio.gather(*map(alone.read, names))
    assert alone.asked() == 20 + 16
    before = now()
    await alone.renewals.close()
    assert now() == before
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_while_a_limit_is_known_nobody_waits_and_nothing_is_asked():
    alone = Alone()
    await alone.read()
    alone.limited = True
    alone.asked()
    assert (await alone.read(), alone.asked(), alone.sources[-1][0]) == (ADA, 0, "stale")
    assert (await alone.read("eda"), alone.asked()) == (EDA, 1)


@in_virtual_time
async def test_while_it_fails_thirty_two_try_at_once_and_the_others_do_not_wait():
    alone = Alone(patience=5.0)
    await alone.read()
    alone.provider.seconds, alone.provider.error = 2.0, ProviderUnavailable()
    await alone.read()
    alone.asked()
    begun = now()
    ends: list[float] = []

    async def reading() -> None:
        assert await alone.read() == ADA
        ends.append(round(now() - begun, 3))

    await asyncio.gather(*(reading() for _ in range(40)))
    assert (alone.asked(), sorted(ends)) == (32, [0.0] * 8 + [2.0] * 32)
    assert alone.directory._trying == 0  # noqa: SLF001 - whoever ends makes room


@in_virtual_time
async def test_the_first_forty_all_try_while_nothing_is_known():
    alone = Alone(patience=5.0)
    await alone.read()
    alone.provider.seconds = 2.0
    alone.asked()
    await asyncio.gather(*(alone.read() for _ in range(40)))
    assert alone.asked() == 40


@in_virtual_time
async def test_what_is_forgotten_while_the_provider_is_tried_is_not_given():
    alone = Alone(patience=5.0)
    await alone.read()
    alone.provider.seconds, alone.provider.error = 2.0, RateLimited()
    reading = asyncio.create_task(alone.read())
    await asyncio.sleep(1.0)
    alone.forgetting.note("auth0|ada")
    assert await reading is RateLimited
    await alone.forgetting.close()


@in_virtual_time
async def test_what_is_too_old_when_the_provider_has_failed_is_not_given():
    alone = Alone(stale_for=10.0, patience=5.0)
    await alone.read()
    alone.provider.seconds, alone.provider.error = 2.0, RateLimited()
    await asyncio.sleep(9.0)
    assert await alone.read() is RateLimited


@in_virtual_time
async def test_a_token_is_verified_every_time_and_means_one_user():
    alone = Alone(fresh_for=5.0)
    assert await alone.read("token auth0|ada ada") == ADA
    assert await alone.read("token auth0|ada ada") == ADA
    assert alone.provider.asked == ["of_token", ("find", Meant("auth0|ada", "ada")), "of_token"]
    assert await alone.read("token bad") is InvalidToken
    # Whoever has that username is somebody else than the one whom the token names: what is at hand does not count.
    alone.asked()
    await alone.read("token auth0|other ada")
    assert alone.asked() == 2


@in_virtual_time
async def test_a_subject_and_a_username_are_remembered_apart():
    alone = Alone(fresh_for=5.0)
    await alone.read("ada")
    await alone.read("auth0|ada")
    assert alone.asked() == 2
    await alone.read("ada")
    await alone.read("auth0|ada")
    assert alone.asked() == 0


@in_virtual_time
async def test_an_address_is_remembered_in_all_its_spellings_unless_a_fresh_answer_is_wanted():
    alone = Alone(fresh_for=5.0)
    assert await alone.directory.by_email(ADDRESS) == ADA
    assert await alone.directory.by_email(Address("ADA@Example.org")) == ADA
    assert alone.provider.asked == [("by_email", ADDRESS, False)]
    assert await alone.directory.by_email(ADDRESS, fresh=True) == ADA
    assert alone.provider.asked[1:] == [("by_email", ADDRESS, True)]
    assert alone.turns == 2


@in_virtual_time
async def test_the_account_of_a_caller_is_always_the_providers_answer_and_its_end_is_noted():
    alone = Alone(fresh_for=5.0)
    caller = Caller("auth0|ada", SecretStr("x"))
    await alone.read("auth0|ada")
    assert await alone.directory.of_caller(caller) == ADA
    assert (alone.asked(), alone.turns) == (2, 2)
    alone.provider.people = []
    with pytest.raises(UserNotFound):
        await alone.directory.of_caller(caller)
    assert await alone.read("auth0|ada") is UserNotFound
    await asyncio.sleep(0)
    assert len(alone.told) == 1


@in_virtual_time
async def test_that_nobody_has_an_address_any_more_is_noted_also_when_a_fresh_answer_was_wanted():
    alone = Alone(fresh_for=60.0)
    await alone.directory.by_email(ADDRESS)
    alone.provider.people = []
    with pytest.raises(UserNotFound):
        await alone.directory.by_email(ADDRESS, fresh=True)
    with pytest.raises(UserNotFound):
        await alone.directory.by_email(ADDRESS)
    await asyncio.sleep(0)
    assert len(alone.told) == 1
    alone.provider.error = ProviderUnavailable()
    with pytest.raises(ProviderUnavailable):
        await alone.directory.by_email(ADDRESS, fresh=True)
    assert len(alone.told) == 1


@in_virtual_time
async def test_a_fresh_answer_is_remembered_in_place_of_an_older_one():
    alone = Alone(fresh_for=60.0)
    await alone.directory.by_email(ADDRESS)
    heir = User("auth0|heir", "heir", ADDRESS)
    alone.provider.people = [heir]
    assert await alone.directory.by_email(ADDRESS, fresh=True) == heir
    alone.asked()
    assert (await alone.directory.by_email(ADDRESS), alone.asked()) == (heir, 0)


@in_virtual_time
async def test_what_was_read_before_a_change_is_not_remembered_after_it():
    alone = Alone(fresh_for=60.0)
    alone.provider.seconds = 2.0
    reading = asyncio.create_task(alone.read())
    await asyncio.sleep(1.0)
    alone.forgetting.note("auth0|ada")
    await reading
    alone.asked()
    await alone.read()
    assert alone.asked() == 1
    await alone.forgetting.close()


@in_virtual_time
async def test_of_an_outage_the_beginning_and_the_end_are_logged():
    lines: list[str] = []
    handler = logger.add(lines.append, level="WARNING", format="{message} {extra}")
    alone = Alone()
    await asyncio.sleep(3.0)
    await alone.read()
    alone.provider.error = ProviderUnavailable()
    assert alone.outage.state == ""
    for _ in range(3):
        await alone.read()
        await asyncio.sleep(4.0)
    assert alone.outage.state == "stale answers are given: 3 in 12 s"
    await asyncio.sleep(5.9)
    assert [line.strip() for line in lines] == ["the provider does not answer: remembered answers are given {}"]
    await asyncio.sleep(0.2)
    assert alone.outage.state == ""
    assert lines[1:] == [
        "remembered answers are given no more in place of errors {'given': 3, 'seconds': 8.0}\n",
    ]
    await alone.read()
    assert alone.outage.state == "stale answers are given: 1 in 0 s"
    alone.outage.close()
    logger.remove(handler)


async def test_any_thread_can_ask_whether_older_answers_are_given():
    """Metrics by OTLP are read by a thread of their own, which has no event loop."""
    outage = Outage()
    outage.stale()
    assert (await asyncio.to_thread(lambda: outage.state)).startswith("stale answers are given: 1 in ")
    outage.close()
