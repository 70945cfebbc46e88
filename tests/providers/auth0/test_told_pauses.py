# SPDX-License-Identifier: MIT
"""What a refusal tells of how long to wait, and how everybody on the lane waits for it."""

from __future__ import annotations

import asyncio

import pytest

from providers.auth0.tenant.limiter import Lane, Limiter, told_pause
from tests.support.virtual_time import in_virtual_time, now

UNIX = 1_900_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "9" * 5000}, 999_999_999.0),
        ({"retry-after": "Sun, 17 Mar 2030 17:46:45 GMT"}, 5.0),
        ({"retry-after": "Sun, 17 Mar 2030 17:46:35 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "Sun, 17 Mar 99999 17:46:35 GMT"}, None),
        ({"retry-after": "soon", "x-ratelimit-reset": "1900000004"}, None),
        ({"retry-after": "7", "x-ratelimit-reset": "1900000004"}, 7.0),
        ({"x-ratelimit-reset": " 1900000004 "}, 4.0),
        ({"x-ratelimit-reset": "1899999999"}, 0.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "1900000006"}, 5.0),
        ({"x-ratelimit-reset": "9" * 5000}, 5.0),
        ({"retry-after": "Sun, 17 Mar 2030 17:46:46 GMT"}, 5.0),
        ({"retry-after": "Sun Mar 17 17:46:43 2030"}, 3.0),
        ({"retry-after": "Sun, 17 Mar 2030 17:46:43 GMT" + " " * 5000 + "x"}, None),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_seconds_or_a_date_or_the_moment_of_the_reset(headers, seconds):
    assert told_pause(headers, UNIX) == seconds


@pytest.mark.parametrize(
    ("date", "headers", "seconds"),
    [
        # The clock here is 29 seconds behind the tenant's, and then ahead of it.
        ("Sun, 17 Mar 2030 17:47:09 GMT", {"x-ratelimit-reset": "1900000030"}, 1.0),
        ("Sun, 17 Mar 2030 17:47:09 GMT", {"retry-after": "Sun, 17 Mar 2030 17:47:11 GMT"}, 2.0),
        ("Sun, 17 Mar 2030 17:46:11 GMT", {"x-ratelimit-reset": "1899999991"}, 20.0),
        ("Sun, 17 Mar 2030 17:46:11 GMT", {"x-ratelimit-reset": "1899999960"}, 0.0),
        ("Sun Mar 17 17:47:09 2030", {"x-ratelimit-reset": "1900000030"}, 1.0),
        ("Sun, 17 Mar 2030 17:47:09 GMT", {"retry-after": "7"}, 7.0),
        ("Sun, 17 Mar 2030 17:47:09 GMT", {}, None),
        # No readable date.
        ("soon", {"x-ratelimit-reset": "1900000030"}, 5.0),
        ("Sun, 17 Mar 2030 17:47:09 GMT" + "x" * 5000, {"x-ratelimit-reset": "1900000030"}, 5.0),
        ("Sun, 17 Mar 99999 17:46:35 GMT", {"x-ratelimit-reset": "1900000001"}, 1.0),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_moment_is_one_of_the_tenants_clock_and_without_that_waited_for_a_few_seconds(date, headers, seconds):
    assert told_pause({"date": date, **headers}, UNIX) == seconds


@pytest.mark.parametrize(("told", "pause"), [(7.0, 7.0), (60.0, 60.0), (61.0, 60.0), (1e9, 60.0), (-5.0, 0.0)])
@in_virtual_time
async def test_a_minute_is_the_longest_pause(told, pause):
    await asyncio.sleep(1.0)
    limiter = Limiter()
    limiter.learn(Lane.READ, told)
    assert limiter.opens(Lane.READ) == pytest.approx(1.0 + pause)
    assert limiter.opens(Lane.WRITE) <= now()


@in_virtual_time
async def test_a_shorter_pause_does_not_take_a_longer_one_back():
    limiter = Limiter()
    limiter.learn(Lane.READ, 30.0)
    limiter.learn(Lane.READ, 1.0)
    assert limiter.opens(Lane.READ) == 30.0


@pytest.mark.parametrize(("pause", "spread"), [(2.0, 0.5), (40.0, 1.0)])
@in_virtual_time
async def test_those_who_waited_come_spread_over_a_quarter_of_the_pause_and_a_second_at_most(pause, spread):
    limiter = Limiter()
    limiter.learn(Lane.READ, pause)
    moments = []

    async def wait() -> None:
        assert await limiter.wait(Lane.READ, 100.0) is True
        moments.append(now() - pause)

    await asyncio.gather(*(wait() for _ in range(200)))
    assert all(-1e-6 <= moment <= spread + 1e-6 for moment in moments)
    assert min(moments) < 0.1 * spread < 0.9 * spread < max(moments)


@in_virtual_time
async def test_who_cannot_wait_so_long_is_told_at_the_end_of_its_time():
    limiter = Limiter()
    limiter.learn(Lane.READ, 30.0)
    assert await limiter.wait(Lane.READ, 4.0) is False
    assert now() == pytest.approx(4.0)
    assert await limiter.wait(Lane.WRITE, 4.0) is True


@in_virtual_time
async def test_who_waits_while_the_pause_grows_waits_on():
    limiter = Limiter()
    limiter.learn(Lane.READ, 4.0)
    asyncio.get_running_loop().call_later(3.0, limiter.learn, Lane.READ, 4.0)
    assert await limiter.wait(Lane.READ, 50.0) is True
    assert 7.0 <= now() <= 8.0
