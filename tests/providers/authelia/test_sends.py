# SPDX-License-Identifier: MIT
"""The bound on all sends of codes together."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger

from app.domain.errors import TooManyCodes, VerificationMailFailed
from app.domain.users import Address
from providers.authelia.codes.sends import KEY, AllSends
from providers.authelia.storage.kv import Entry
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket
from tests.support.replicas import replicas_of

LARGEST = 8192
"""The bytes that a value of the ledger may have, in the chart."""


def _address(number: int) -> Address:
    return Address(f"somebody-{number}@example.org")


async def _sent(sends: AllSends) -> bool:
    try:
        await sends.refuse()
        await sends.count()
    except TooManyCodes:
        return False
    return True


@pytest.mark.usefixtures("people")
async def test_over_three_replicas_no_more_are_sent_than_may_be(stage):
    async with replicas_of(stage, 3, max_codes_per_hour=20) as three:
        bodies = [_address(number) for number in range(60)]
        assert await three.all_at_once("email_linking.send_verification", bodies) == {
            "success": 20,
            "too many verification requests, try again later": 40,
        }
        # What was sent still works, and looking up is not affected.
        [first, *_] = [mail.recipients[0] for mail in stage.mail.mails]
        verified = await three.ask("email_linking.verify", {"email": first, "otp": stage.mail.code(first)})
        assert verified["success"]
    assert len(stage.mail.mails) == 20


@pytest.mark.usefixtures("people")
async def test_an_hour_later_codes_are_sent_again(stage):
    clock = Clock()
    async with stage.replica(stage.settings(max_codes_per_hour=2), clock) as provider:
        for number in range(2):
            await provider.verification.send_code(_address(number))
        clock.now += 3599
        with pytest.raises(TooManyCodes):
            await provider.verification.send_code(_address(2))
        clock.now += 1
        await provider.verification.send_code(_address(2))
    assert len(stage.mail.mails) == 3


@pytest.mark.usefixtures("people")
async def test_a_send_that_is_refused_does_not_count_against_its_address(stage):
    clock = Clock()
    async with stage.replica(stage.settings(max_codes_per_hour=1), clock) as provider:
        await provider.verification.send_code(_address(0))
        for _ in range(9):
            with pytest.raises(TooManyCodes):
                await provider.verification.send_code(_address(1))
        clock.now += 3600
        await provider.verification.send_code(_address(1))


@pytest.mark.usefixtures("people")
async def test_a_mail_that_cannot_be_sent_counts(stage):
    stage.mail.faults["message"] = "554 no"
    async with stage.replica(stage.settings(max_codes_per_hour=1)) as provider:
        with pytest.raises(VerificationMailFailed):
            await provider.verification.send_code(_address(0))
        with pytest.raises(TooManyCodes):
            await provider.verification.send_code(_address(1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1_000_000), st.integers(1, 30))
def test_in_no_hour_are_there_more_whatever_the_order(seed, limit):
    """Three replicas, whose clocks differ by seconds, and bursts at any time of four hours."""

    async def scenario() -> None:
        chance, now = random.Random(seed), [1_000_000.0]
        bucket = MemoryBucket(seed, lambda: now[0])
        skews = [chance.uniform(-2, 2) for _ in range(3)]
        replicas = [AllSends(bucket.opened, limit, lambda skew=skew: now[0] + skew) for skew in skews]
        moments = []
        for _ in range(40):
            outcomes = await asyncio.gather(*(_sent(chance.choice(replicas)) for _ in range(chance.randrange(20))))
            moments += [now[0]] * sum(outcomes)
            now[0] += chance.choice((0.3, 7, 60, 600))
        for moment in moments:
            assert sum(moment <= other < moment + 3600 - 4 for other in moments) <= limit
        # And not many fewer: after an hour of quiet all of them may be sent.
        now[0] += 3600 + 10 + 4
        assert [await _sent(replicas[0]) for _ in range(limit + 1)] == [*[True] * limit, False]

    asyncio.run(scenario())


DAY = 86_400.0


@pytest.mark.parametrize(("limit", "first"), [(3, 1), (3, 3), (1_200, 1)])
@pytest.mark.parametrize("skew", [DAY, 3_000.0])
async def test_a_replica_whose_clock_is_ahead_makes_no_send_count_for_longer_than_an_hour(limit, first, skew):
    now = [1_000_000.0]
    bucket = MemoryBucket(0, lambda: now[0])
    ahead, right = (AllSends(bucket.opened, limit, lambda by=by: now[0] + by) for by in (skew, 0.0))
    for _ in range(first):
        assert await _sent(ahead)
    for _ in range(limit - first):
        assert await _sent(right)
    for _ in range(3):
        assert not await _sent(right)
        now[0] += 1_200
    for _ in range(limit):
        assert await _sent(right)
    assert not await _sent(right)


@pytest.mark.parametrize(("skew", "server"), [(-DAY, 0.0), (-3_000.0, 0.0), (3_000.0, 0.0), (3_000.0, -DAY)])
async def test_a_replica_whose_clock_is_wrong_does_not_let_others_send_more(skew, server):
    now = [1_000_000.0]
    bucket = MemoryBucket(0, lambda: now[0] + server)
    wrong, right = (AllSends(bucket.opened, 9, lambda by=by: now[0] + by) for by in (skew, 0.0))
    sent = 0
    for _ in range(10):
        sent += await _sent(right)
        sent += await _sent(wrong)
        now[0] += 50
    assert sent == 9


HOUR = 1_000_000_000


def _spread(limit) -> list[int]:
    """Return seconds of an hour, each once: as many as may be, and as many as can be ten after the one before."""
    far = 10 * ((3600 - limit) // 9)
    return [*range(HOUR, HOUR + far, 10), *range(HOUR + far, HOUR + far + limit - far // 10)]


@pytest.mark.parametrize(
    ("limit", "moments", "slots"),
    [
        (600, _spread(600), 600),
        (1_000, _spread(1_000), 1_000),
        (1_001, range(HOUR, HOUR + 3600, 4), 360),
        (100_000, range(HOUR, HOUR + 3600), 360),
    ],
    ids=["600", "1000", "1001", "100000"],
)
async def test_the_record_stays_small_whatever_the_bound(limit, moments, slots):
    now = HOUR
    bucket = MemoryBucket(0, lambda: now)
    sends = AllSends(bucket.opened, limit, lambda: now)
    for now in moments:  # noqa: B007 - it is the clock
        await sends.count()
    value = (await bucket.get(KEY)).value
    assert len(json.loads(value)["sends"]) == pytest.approx(slots, abs=1)
    assert len(value) < LARGEST


async def test_that_the_bound_is_reached_is_logged_once():
    lines: list[str] = []
    handler = logger.add(lines.append, level="WARNING", format="{message} {extra[limit]}")
    sends = AllSends(MemoryBucket(0, lambda: 0.0).opened, 3, lambda: 1_000_000.0)
    logged = [(await _sent(sends), len(lines)) for _ in range(5)]
    logger.remove(handler)
    assert logged == [(True, 0), (True, 0), (True, 1), (False, 1), (False, 1)]
    assert lines == ["as many codes were sent as may be in an hour: no more for now 3\n"]


@pytest.mark.parametrize(
    ("now", "limit", "until"),
    [(1_000_000.0, 1000, 1_000_000), (1_000_000.1, 1000, 1_000_001), (1_000_001.0, 1001, 1_000_010)],
)
async def test_seconds_are_counted_together_where_more_than_a_thousand_may_be_sent(now, limit, until):
    bucket = MemoryBucket(0, lambda: now)
    sends = AllSends(bucket.opened, limit, lambda: now)
    for _ in range(2):
        assert await _sent(sends)
    assert (await bucket.get(KEY)).value == b'{"sends":[[%d,2]]}' % until


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[]", b'{"sends": 5}', b'{"sends": [5]}', b'{"sends": [["a", 1]]}', b"x"]
)
async def test_what_is_no_such_record_counts_nothing(value):
    bucket = MemoryBucket(0, lambda: 0.0)
    await bucket.put(KEY, value, Entry(None, 0).revision)
    assert await _sent(AllSends(bucket.opened, 1, lambda: 1_000_000.0))
