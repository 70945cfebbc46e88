# SPDX-License-Identifier: MIT
"""Which attempts are repeated, when, and until when: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import aiohttp
import httpx
import pytest

from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import ProviderUnavailable, RateLimited
from providers.auth0.tenant.answers import Answer
from providers.auth0.tenant.budget import Budget
from providers.auth0.tenant.calls import Kind
from providers.auth0.tenant.flights import Progress
from providers.auth0.tenant.limiter import Lane, Limiter
from providers.auth0.tenant.retries import Retries
from tests.providers.auth0.conftest import Counts
from tests.support.virtual_time import in_virtual_time, now

READ = Kind("get_user", Lane.READ)
WRITE = Kind("update_user", Lane.WRITE, once=True, writes=True)
ONCE = Kind("check", Lane.READ, once=True)
OWN_LIMIT = Kind("change_password", None)
GOOD = Answer(200, {}, b"{}")
UNIX = 1_900_000_000.0


def not_connected() -> httpx.ConnectError:
    error = httpx.ConnectError("refused")
    error.__cause__ = aiohttp.ClientConnectorError.__new__(aiohttp.ClientConnectorError)
    return error


class Line:
    """A line on which the n-th attempt ends as is said, and the last of these from then on."""

    def __init__(self, *ends: Answer | Exception | float, request_timeout: float = 20.0) -> None:
        self.counts, self.limiter, self.budget = Counts(), Limiter(), Budget(request_timeout)
        self.retries = Retries(self.budget, self.limiter, self.counts, lambda: UNIX + now())
        self.ends = itertools.chain(ends, itertools.repeat(ends[-1]))
        self.moments: list[float] = []
        self.committed: list[bool] = []

    async def send(self, _: None) -> Answer:
        self.moments.append(now())
        self.committed.append(current_deadline().committed)
        end = next(self.ends)
        if isinstance(end, float):
            await asyncio.sleep(end)
            return GOOD
        if isinstance(end, Exception):
            raise end
        return end

    async def run(self, kind: Kind = READ, seconds: float | None = 20.0, **more) -> Answer:
        if seconds is not None:
            set_deadline(Deadline(now() + seconds))
        return await self.retries.run(kind, more.pop("prepare", nothing), self.send, **more)


async def nothing() -> None:
    return None


def pauses(moments: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(moments)]


@in_virtual_time
async def test_pauses_double_from_a_tenth_of_a_second_to_two_and_the_last_attempt_is_in_time():
    line = Line(Answer(503))
    with pytest.raises(ProviderUnavailable):
        await line.run()
    assert now() == pytest.approx(18.0)  # a tenth of the time is kept for the reply
    longest = [0.1, 0.2, 0.4, 0.8, 1.6] + [2.0] * 20
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses(line.moments), longest, strict=False))
    assert len(line.moments) > 10
    assert line.counts.retries == {"get_user": len(line.moments) - 1}
    assert line.counts.attempts == {("get_user", "failed"): len(line.moments)}


@in_virtual_time
async def test_pauses_are_spread():
    async def second() -> float:
        line = Line(Answer(503), GOOD)
        begun = now()
        await line.run()
        return now() - begun

    found = {await second() for _ in range(50)}
    assert len(found) > 10
    assert min(found) < 0.07
    assert max(found) > 0.08


@in_virtual_time
async def test_without_a_request_there_is_a_requests_time():
    line = Line(Answer(503))
    with pytest.raises(ProviderUnavailable):
        await line.run(seconds=None)
    assert now() == pytest.approx(20.0)


@in_virtual_time
async def test_an_attempt_has_three_seconds_and_a_read_is_sent_again():
    line = Line(60.0, GOOD)
    assert await line.run() is GOOD
    assert 3.05 <= line.moments[1] <= 3.1
    assert line.counts.attempts == {("get_user", "timed_out"): 1, ("get_user", "ok"): 1}


@in_virtual_time
async def test_the_last_attempt_has_what_is_left():
    line = Line(60.0)
    with pytest.raises(ProviderUnavailable):
        await line.run(seconds=2.5)
    assert now() == pytest.approx(0.5)
    assert line.moments == [0.0]


@in_virtual_time
async def test_what_is_prepared_takes_no_time_of_the_attempt_and_is_handed_on():
    async def prepare() -> None:
        await asyncio.sleep(5.0)

    line = Line(2.9)
    assert await line.run(prepare=prepare) is GOOD
    assert (line.moments, now()) == ([5.0], pytest.approx(7.9))


REPEATED = {
    "500": (Answer(500), "failed", True, False),
    "408": (Answer(408), "failed", True, False),
    "429": (Answer(429), "rate_limited", True, True),
    "no JSON": (Answer(200, {}, b"<html>"), "broken", True, False),
    "cut off": (httpx.ReadError(""), "broken", True, False),
    "timed out": (httpx.ReadTimeout(""), "timed_out", True, False),
    "not connected": (not_connected(), "not_connected", True, True),
}


@pytest.mark.parametrize("name", REPEATED)
@in_virtual_time
async def test_what_certainly_was_not_done_is_repeated_of_writes_and_all_else_of_reads(name):
    end, outcome, read, write = REPEATED[name]
    for kind, repeated in ((READ, read), (WRITE, write), (ONCE, write)):
        line = Line(end, GOOD)
        if repeated:
            assert await line.run(kind) is GOOD
            assert len(line.moments) == 2
        else:
            with pytest.raises(ProviderUnavailable) as raised:
                await line.run(kind)
            assert len(line.moments) == 1
            assert str(raised.value.__cause__).startswith(f"{kind.name} failed: ")
        assert line.counts.attempts[kind.name, outcome] == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
@in_virtual_time
async def test_a_refusal_is_an_answer(status):
    line = Line(Answer(status))
    assert (await line.run()).status == status
    assert line.counts.attempts == {("get_user", "refused"): 1}


@in_virtual_time
async def test_what_nobody_foresaw_is_raised_as_it_is():
    with pytest.raises(ZeroDivisionError):
        await Line(ZeroDivisionError()).run()


@in_virtual_time
async def test_an_answer_that_need_not_be_json_is_not_read():
    line = Line(Answer(200, {}, b"<html>"))
    assert (await line.run(Kind("ticket", Lane.WRITE, json=False))).body == b"<html>"


@in_virtual_time
async def test_a_limit_that_is_nobody_elses_is_an_answer():
    line = Line(Answer(429, {"retry-after": "5"}))
    assert (await line.run(OWN_LIMIT)).status == 429
    assert (now(), line.limiter.opens(Lane.WRITE)) == (0.0, 0.0)


@in_virtual_time
async def test_a_told_pause_is_kept_and_told_to_everybody_on_the_lane():
    line = Line(Answer(429, {"retry-after": "7"}), GOOD)
    await line.run()
    assert line.moments == [0.0, pytest.approx(7.0)]
    assert line.limiter.opens(Lane.READ) == pytest.approx(7.0)
    assert line.limiter.opens(Lane.WRITE) == 0.0


@in_virtual_time
async def test_a_told_moment_is_told_by_the_clock_on_the_wall():
    line = Line(Answer(429, {"x-ratelimit-reset": str(int(UNIX) + 4)}), GOOD)
    await line.run()
    assert line.moments[1] == pytest.approx(4.0)


@in_virtual_time
async def test_a_pause_told_with_another_failure_is_kept_and_told_to_nobody():
    line = Line(Answer(503, {"retry-after": "7"}), GOOD)
    await line.run()
    assert line.moments[1] == pytest.approx(7.0)
    assert line.limiter.opens(Lane.READ) == 0.0


@in_virtual_time
async def test_a_pause_that_is_told_to_be_none_is_the_ordinary_one():
    line = Line(Answer(429, {"retry-after": "0"}), GOOD)
    await line.run()
    assert 0.05 <= line.moments[1] <= 0.1


@in_virtual_time
async def test_a_pause_beyond_the_time_is_told_at_its_end():
    line = Line(Answer(429, {"retry-after": "30"}), GOOD)
    with pytest.raises(RateLimited) as raised:
        await line.run()
    assert str(raised.value.__cause__) == "get_user failed: status 429"
    assert (now(), len(line.moments), line.counts.retries) == (pytest.approx(18.0), 1, {})


@in_virtual_time
async def test_a_lane_that_stays_closed_is_told_at_the_end_of_the_time_and_nothing_is_sent():
    line, progress = Line(GOOD), Progress()
    line.limiter.learn(Lane.READ, 30.0)
    waiting = asyncio.create_task(line.run(progress=progress))
    await asyncio.sleep(1.0)
    assert isinstance(progress.error, RateLimited)
    assert progress.sent is None
    with pytest.raises(RateLimited):
        await waiting
    assert (now(), line.moments) == (pytest.approx(18.0), [])


@in_virtual_time
async def test_an_open_lane_is_no_failure():
    progress = Progress()
    await Line(GOOD).run(progress=progress)
    assert progress.error is None
    assert progress.sent == 0.0


@in_virtual_time
async def test_those_who_wait_know_the_last_failure_and_when_something_was_sent():
    line, progress = Line(Answer(429, {"retry-after": "2"}), 1.0), Progress()
    running = asyncio.create_task(line.run(progress=progress))
    await asyncio.sleep(1.0)
    assert (type(progress.error), progress.sent) == (RateLimited, None)
    await asyncio.sleep(1.5)
    assert progress.sent == pytest.approx(2.0)
    await running


COMMITS = {
    "answered": (GOOD, True),
    "failed": (Answer(500), True),
    "timed out": (60.0, True),
    "cut off": (httpx.ReadError(""), True),
    "refused": (Answer(400), False),
    "not connected": (not_connected(), False),
    "limited": (Answer(429), False),
}


@pytest.mark.parametrize("name", COMMITS)
@in_virtual_time
async def test_a_write_commits_the_request_unless_it_certainly_changed_nothing(name):
    end, commits = COMMITS[name]
    line = Line(end)
    with contextlib.suppress(ProviderUnavailable, RateLimited):
        await line.run(WRITE, seconds=10.0)
    assert set(line.committed) == {True}
    assert current_deadline().committed is commits


@pytest.mark.parametrize(("kind", "left"), [(READ, 0.0), (WRITE, 0.5), (ONCE, 0.5)])
@in_virtual_time
async def test_what_would_be_cut_off_at_once_is_not_begun(kind, left):
    line = Line(GOOD)
    for seconds in (0.5, 2.0 + left):  # two seconds of twenty are kept for the reply
        with pytest.raises(ProviderUnavailable):
            await line.run(kind, seconds=seconds)
    assert (line.moments, line.counts.attempts, current_deadline().committed) == ([], {}, False)
    await line.run(kind, seconds=2.1 + left)
    assert len(line.moments) == 1


@in_virtual_time
async def test_what_is_prepared_until_its_time_is_over_is_not_begun():
    line = Line(GOOD)
    with pytest.raises(ProviderUnavailable):
        await line.run(WRITE, prepare=lambda: asyncio.sleep(30.0))
    assert line.moments == []


@in_virtual_time
async def test_a_read_commits_to_nothing_and_takes_nothing_back():
    line = Line(Answer(400))
    await line.run(READ)
    assert (line.committed, current_deadline().committed) == ([False], False)
    current_deadline().commit()
    await line.run(READ, seconds=None)
    assert (line.committed[1:], current_deadline().committed) == ([True], True)


@in_virtual_time
async def test_the_time_for_what_follows_a_write_is_settled_when_it_begins():
    """An attempt's time from then, and not from each attempt anew."""
    line = Line(Answer(503))
    set_deadline(Deadline(2.0, committed=True))
    await asyncio.sleep(1.9)
    with pytest.raises(ProviderUnavailable):
        await line.run(READ, seconds=None)
    assert now() == pytest.approx(4.9)


@in_virtual_time
async def test_a_read_that_others_share_has_no_end_and_no_pause_of_more_than_a_minute():
    line = Line(Answer(503, {"retry-after": "99999"}), GOOD)
    set_deadline(line.budget.shared())
    assert await line.run(seconds=None) is GOOD
    assert line.moments == [0.0, pytest.approx(60.0)]
