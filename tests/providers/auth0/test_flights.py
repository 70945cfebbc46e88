# SPDX-License-Identifier: MIT
"""What those who want the same thing share: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import ProviderUnavailable, RateLimited, ServiceError
from providers.auth0.tenant.budget import Budget
from providers.auth0.tenant.flights import Flights, Progress
from tests.support.virtual_time import in_virtual_time, now


class Work:
    """Work that takes some seconds, and counts how often it was begun and cancelled."""

    def __init__(self, seconds: float = 1.0, error: Exception | None = None, *, sent: float | None = None) -> None:
        self.seconds, self.error, self.sent = seconds, error, sent
        self.begun = self.cancelled = 0
        self.deadlines: list[Deadline] = []

    async def __call__(self, progress: Progress) -> int:
        self.begun += 1
        number = self.begun
        self.deadlines.append(current_deadline())
        progress.sent = self.sent
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return number


def waiting(flights: Flights[int], work: Work, seconds: float = 10.0, key: str = "ada") -> asyncio.Task[int]:
    async def request() -> int:
        set_deadline(Deadline(now() + seconds))
        return await flights.join(key, work)

    return asyncio.create_task(request())


def flights(shared_for: float | None = None) -> Flights[int]:
    return Flights(Budget(10.0)) if shared_for is None else Flights(Budget(10.0), shared_for)


@in_virtual_time
async def test_who_comes_while_it_lasts_shares_and_who_comes_later_begins_anew():
    shared, work = flights(), Work()
    first = waiting(shared, work)
    await asyncio.sleep(0.5)
    assert shared.to_join("ada")
    assert not shared.to_join("eda")
    second = waiting(shared, work)
    assert await asyncio.gather(first, second) == [1, 1]
    assert now() == pytest.approx(1.0)
    assert not shared.to_join("ada")
    assert await waiting(shared, work) == 2


@in_virtual_time
async def test_other_keys_are_other_work():
    shared, work = flights(), Work()
    assert await asyncio.gather(waiting(shared, work), waiting(shared, work, key="eda")) == [1, 2]


@pytest.mark.parametrize("moment", [0.0, 4096.0])
@pytest.mark.parametrize(("after", "result"), [(0.046875, 1), (0.0625, 2)])
@in_virtual_time
async def test_what_was_sent_is_joined_for_so_long_only(after, result, moment):
    await asyncio.sleep(moment)
    shared, work = flights(shared_for=0.05), Work(sent=moment)
    first = waiting(shared, work)
    await asyncio.sleep(after)
    assert shared.to_join("ada") is (result == 1)
    second = waiting(shared, work)
    assert await asyncio.gather(first, second) == [1, result]


@in_virtual_time
async def test_the_older_work_does_not_take_the_place_of_the_newer():
    shared, work = flights(shared_for=0.05), Work(sent=0.0)
    first = waiting(shared, work)
    await asyncio.sleep(0.5)
    work.sent = None
    second = waiting(shared, work)
    await first
    await asyncio.sleep(0.1)
    assert await waiting(shared, work) == 2 == await second


@in_virtual_time
async def test_an_error_is_everybodys_and_is_forgotten():
    shared, work = flights(), Work(error=RateLimited())
    errors = await asyncio.gather(waiting(shared, work), waiting(shared, work), return_exceptions=True)
    assert [type(error) for error in errors] == [RateLimited, RateLimited]
    work.error = None
    assert await waiting(shared, work) == 2


@in_virtual_time
async def test_who_can_wait_no_longer_is_told_the_last_failure_and_the_others_wait_on():
    shared, work = flights(), Work(5.0)
    patient = waiting(shared, work)
    with pytest.raises(ProviderUnavailable):
        await waiting(shared, work, 3.0)
    assert now() == pytest.approx(2.0)  # a second of ten is kept for the reply
    assert (await patient, work.cancelled, now()) == (1, 0, pytest.approx(5.0))


@in_virtual_time
async def test_the_last_failure_is_the_one_that_the_work_noted():
    async def work(progress: Progress) -> int:
        progress.error = RateLimited()
        await asyncio.sleep(60)
        return 1

    set_deadline(Deadline(3.0))
    with pytest.raises(RateLimited) as raised:
        await flights().join("ada", work)
    assert raised.value.__suppress_context__


@in_virtual_time
async def test_the_last_failure_of_work_that_waits_for_other_work_is_that_ones_and_keeps_its_cause():
    shared, cause = flights(), ValueError("status 429")

    async def inner(progress: Progress) -> int:
        await asyncio.sleep(1.0)
        progress.error = RateLimited()
        progress.error.__cause__ = cause
        await asyncio.sleep(2.0)
        return 1

    async def outer(progress: Progress) -> int:
        with contextlib.suppress(ProviderUnavailable):
            await shared.join("inner", inner)
        assert progress.needs is None
        await asyncio.sleep(60.0)
        return 2

    async def failure(seconds: float) -> Exception:
        set_deadline(Deadline(seconds))
        with pytest.raises(ServiceError) as raised:
            await shared.join("outer", outer)
        return raised.value

    early, middle, late = await asyncio.gather(*map(failure, (1.5, 3.0, 6.0)))
    assert [type(error) for error in (early, middle, late)] == [ProviderUnavailable, RateLimited, ProviderUnavailable]
    assert middle.__cause__ is cause


@in_virtual_time
async def test_what_nobody_waits_for_is_cancelled_and_not_joined():
    shared, work = flights(), Work(60.0)
    first, second = waiting(shared, work), waiting(shared, work)
    await asyncio.sleep(0.5)
    first.cancel()
    await asyncio.sleep(0.1)
    assert (work.cancelled, shared.to_join("ada")) == (0, True)
    second.cancel()
    await asyncio.sleep(0)
    assert not shared.to_join("ada")
    await asyncio.sleep(0.1)
    assert work.cancelled == 1
    work.seconds = 1.0
    assert await waiting(shared, work) == 2


@in_virtual_time
async def test_the_work_has_until_the_end_of_those_who_wait_and_no_end_of_its_own():
    shared, work = flights(), Work(60.0)
    waiters = [waiting(shared, work, seconds) for seconds in (3.0, 6.0, 4.0)]
    await asyncio.sleep(4.9)
    waiters.append(waiting(shared, work, 4.0))
    await asyncio.sleep(2.9)
    assert [waiter.done() for waiter in waiters] == [True, True, True, False]
    assert (work.begun, work.cancelled) == (1, 0)
    await asyncio.sleep(0.2)
    assert work.cancelled == 1
    [of_work] = work.deadlines
    assert Budget(10.0).of(of_work) > 1e9
    assert current_deadline().at == float("inf")


@in_virtual_time
async def test_who_is_outside_of_a_request_waits_for_a_requests_time():
    shared, work = flights(), Work(60.0)
    with pytest.raises(ProviderUnavailable):
        await shared.join("ada", work)
    assert now() == pytest.approx(10.0)
    await asyncio.sleep(0)
    assert work.cancelled == 1


@in_virtual_time
async def test_what_lasts_has_a_requests_time_though_nobody_waits_and_more_if_somebody_does():
    shared, work = Flights(Budget(10.0), lasts=True), Work(60.0)
    await asyncio.sleep(1.0)
    with pytest.raises(ProviderUnavailable):
        await waiting(shared, work, 2.0)
    await asyncio.sleep(7.9)
    assert (now(), shared.to_join("ada")) == (pytest.approx(9.9), True)
    late = waiting(shared, work, 3.0)
    await asyncio.sleep(1.9)
    assert (work.begun, work.cancelled) == (1, 0)
    await asyncio.wait({late})
    await asyncio.sleep(0.1)
    assert (work.begun, work.cancelled, now()) == (1, 1, pytest.approx(12.0))


@in_virtual_time
async def test_what_lasts_ends_with_who_shares_it():
    shared, work = Flights(Budget(10.0), lasts=True), Work(60.0)
    with pytest.raises(ProviderUnavailable):
        await waiting(shared, work, 2.0)
    async with contextlib.aclosing(shared):
        assert work.cancelled == 0
    assert (work.cancelled, now()) == (1, pytest.approx(1.0))


@in_virtual_time
async def test_an_error_that_nobody_waits_for_any_more_is_looked_at():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    shared, work = flights(), Work(1.0, error=RateLimited())
    task = waiting(shared, work)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(1.0, task.cancel)
    await asyncio.wait({task})
    assert complaints == []


@pytest.mark.parametrize(
    ("committed", "at", "until"),
    [(False, 100.0, 99.0), (True, 100.0, 99.0), (True, 2.0, 3.0), (True, -3.0, 2.0), (False, 2.0, 1.0)],
)
@in_virtual_time
async def test_nine_tenths_of_a_requests_time_and_after_a_write_an_attempts_time_at_least(committed, at, until):
    """And that no later than half a request's time after its end."""
    assert Budget(10.0).of(Deadline(at, committed=committed)) == pytest.approx(until)


@in_virtual_time
async def test_work_that_nobody_waits_for_has_a_requests_time():
    await asyncio.sleep(5)
    assert Budget(10.0).background().at == pytest.approx(15.0)
    assert Budget(10.0).until() == pytest.approx(15.0)
    set_deadline(Deadline(9.0))
    assert Budget(10.0).until() == pytest.approx(8.0)


@in_virtual_time
async def test_undoing_has_a_requests_time_after_the_requests_end():
    of_request = Deadline(4.0, committed=True)
    set_deadline(of_request)
    with contextlib.suppress(ZeroDivisionError), Budget(10.0).undoing():
        undoing = current_deadline()
        raise ZeroDivisionError
    assert (undoing.at, undoing.committed) == (14.0, False)
    assert current_deadline() is of_request
