# SPDX-License-Identifier: MIT
"""Whose turn it is, and what becomes of who waits too long: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import copy_context

import pytest

from app.bus.gate import PAUSED, take_turn
from app.bus.lanes import SMALL, Lane
from app.bus.turns import MAX_BYTES_AT_WORK, MAX_PENDING_BYTES, Turns
from app.domain.deadline import Deadline, current_deadline, set_deadline
from app.domain.errors import Overloaded, RequestTimedOut, ServiceError
from tests.support.virtual_time import in_virtual_time, now


class Job:
    """A request that works for some seconds once it has its turn, and keeps what it is told."""

    def __init__(self, lane: Lane, seconds: float = 1.0, until: float = 10.0, *, size: int = 100, grace: float = 0.0):
        self.lane, self.seconds, self.size = lane, seconds, size
        self.deadline = Deadline(until, grace)
        self.context = copy_context()
        self.begun: float | None = None
        self.over: float | None = None
        self.writes = False
        self.error: Exception | None = None
        self.refused: list[tuple[float, type]] = []
        self.ends: list[BaseException | None] = []
        self.coroutine = self._work()

    async def _work(self) -> None:
        self.begun = now()
        try:
            if self.writes:
                self.deadline.commit()
            await asyncio.sleep(self.seconds)
            if self.error is not None:
                raise self.error
        finally:
            self.over = now()

    def advance(self) -> bool:
        try:
            waits = self.context.run(self.coroutine.send, None) is PAUSED
        except StopIteration:
            return False
        assert waits
        return True

    def reply(self) -> None:
        self.refused.append((round(now(), 6), Replied))

    def refuse(self, error: ServiceError) -> None:
        self.refused.append((round(now(), 6), type(error)))

    def ended(self, error: BaseException | None) -> None:
        self.ends.append(error)


class Replied:
    """What `refused` says of one that was answered without a turn."""


class Reader(Job):
    """A read that has an answer at hand for a turn that comes too late; without one it waits for its turn as ever."""

    def __init__(self, lane: Lane, patience: float, *, at_hand: bool, until: float = 10.0, size: int = 100):
        self.at_hand, self.patience = at_hand, patience
        super().__init__(lane, until=until, size=size)
        self.deadline.begun = False
        self.context.run(set_deadline, self.deadline)
        assert self.advance()

    async def _work(self) -> None:
        if not await take_turn(self.patience):
            assert not await take_turn(1.0)  # told again at once
            if self.at_hand:
                return
            assert await take_turn()
        await super()._work()


def submitted(turns: Turns, *jobs: Job) -> list[Job]:
    for job in jobs:
        turns.submit(job)
    return [*jobs]


def begun(jobs: list[Job]) -> list[float | None]:
    return [job.begun for job in jobs]


@in_virtual_time
async def test_each_begins_when_there_is_room_in_the_order_in_which_they_came():
    turns = Turns(max_at_work=4, max_pending=100)
    one, other = turns.lane(), turns.lane()
    jobs = submitted(turns, *(Job(one) for _ in range(5)), *(Job(other) for _ in range(2)))
    assert (turns.at_work, turns.pending) == (4, 3)
    await turns.finished()
    # Three of four places are for one lane; the fifth of the first lane came before the second of the other.
    assert begun(jobs) == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert (turns.at_work, turns.pending, now()) == (0, 0, pytest.approx(2.0))
    assert [job.refused + job.ends for job in jobs] == [[]] * 7


@in_virtual_time
async def test_a_full_lane_does_not_hold_up_another():
    turns = Turns(max_at_work=2, max_pending=100)
    one, other = turns.lane(), turns.lane()
    jobs = submitted(turns, Job(one, 5.0), Job(one), Job(one), Job(other))
    await turns.finished()
    assert begun(jobs) == [0.0, 5.0, 6.0, 0.0]


@in_virtual_time
async def test_who_came_first_goes_first_whatever_the_lane():
    turns = Turns(max_at_work=1, max_pending=100)
    one, other = turns.lane(), turns.lane()
    jobs = submitted(turns, Job(one), Job(other), Job(one), Job(other))
    await turns.finished()
    assert begun(jobs) == [0.0, 1.0, 2.0, 3.0]


@in_virtual_time
async def test_of_who_waits_so_many_are_kept_and_the_others_turned_away_at_once():
    turns = Turns(max_at_work=1, max_pending=2)
    jobs = submitted(turns, *(Job(turns.lane()) for _ in range(5)))
    assert [job.refused for job in jobs] == [[], [], [], [(0.0, Overloaded)], [(0.0, Overloaded)]]
    await turns.finished()
    assert begun(jobs) == [0.0, 1.0, 2.0, None, None]
    assert submitted(turns, Job(turns.lane()))[0].refused == []
    await turns.finished()


@in_virtual_time
async def test_what_is_at_work_is_bounded_in_bytes_and_small_requests_begin_all_the_same():
    turns = Turns(max_at_work=100, max_pending=100)
    large, small = turns.lane(), turns.lane()
    size = MAX_BYTES_AT_WORK // 3
    jobs = submitted(turns, *(Job(large, size=size) for _ in range(7)), *(Job(small, size=SMALL) for _ in range(4)))
    await turns.finished()
    assert begun(jobs) == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]


@in_virtual_time
async def test_a_small_request_passes_a_large_one_that_there_is_no_room_for():
    turns = Turns(max_at_work=4, max_pending=100)
    lane = turns.lane()
    jobs = submitted(turns, *(Job(lane, size=size) for size in (MAX_BYTES_AT_WORK, 100, 100, SMALL + 1, 100)))
    jobs[0].seconds = 5.0
    await turns.finished()
    assert begun(jobs) == [0.0, 0.0, 0.0, 5.0, 1.0]


@in_virtual_time
async def test_small_requests_of_a_lane_do_not_wait_for_the_large_ones_before_them():
    """The lane is full when they come, so all of them wait; what leaves makes room for the small ones alone."""
    turns = Turns(max_at_work=8, max_pending=100)
    lane, other = turns.lane(), turns.lane()
    submitted(turns, Job(other, 9.0, size=MAX_BYTES_AT_WORK), *(Job(lane) for _ in range(6)))
    large = submitted(turns, *(Job(lane, until=60.0, size=2 * SMALL) for _ in range(40)))
    small = submitted(turns, *(Job(lane) for _ in range(12)))
    await asyncio.sleep(4)
    assert begun(small) == [1.0] * 6 + [2.0] * 6
    assert begun(large) == [None] * 40
    await turns.finished()
    assert None not in begun(large)


@in_virtual_time
async def test_of_large_requests_none_overtakes_one_that_came_before_it():
    turns = Turns(max_at_work=8, max_pending=100)
    lane, other = turns.lane(), turns.lane()
    half = MAX_BYTES_AT_WORK // 2
    jobs = submitted(turns, Job(lane, 4.0, size=half + 1), Job(lane, size=half), Job(lane, size=SMALL + 1))
    later = submitted(turns, Job(other, size=SMALL + 1))
    await asyncio.sleep(1)
    later += submitted(turns, Job(other, size=SMALL + 1))
    await turns.finished()
    assert (begun(jobs), begun(later)) == ([0.0, 4.0, 4.0], [4.0, 4.0])


@in_virtual_time
async def test_when_a_large_one_waits_no_more_the_next_begins_if_there_is_room_for_it():
    turns = Turns(max_at_work=8, max_pending=100)
    lane = turns.lane()
    first = Job(lane, 9.0, size=MAX_BYTES_AT_WORK - 2 * SMALL)
    jobs = submitted(turns, first, Job(lane, until=3.0, size=4 * SMALL), Job(lane, size=2 * SMALL))
    await turns.finished()
    assert begun(jobs) == [0.0, None, 3.0]


@in_virtual_time
async def test_a_request_that_is_larger_than_the_bound_has_its_turn_alone():
    turns = Turns(max_at_work=100, max_pending=100)
    lane = turns.lane()
    jobs = submitted(turns, Job(lane), Job(lane, size=MAX_BYTES_AT_WORK + 1), Job(lane))
    await turns.finished()
    assert begun(jobs) == [0.0, 1.0, 0.0]


@in_virtual_time
async def test_of_who_waits_64_mib_are_kept():
    assert MAX_PENDING_BYTES == 67_108_864
    half = 33_554_432
    turns = Turns(max_at_work=1, max_pending=100)
    lane = turns.lane()
    jobs = submitted(turns, *(Job(lane, size=size) for size in (half, half, half, 1, 0)))
    assert [len(job.refused) for job in jobs] == [0, 0, 0, 1, 0]
    await asyncio.sleep(1.5)  # one of the large ones has its turn
    assert submitted(turns, Job(lane, size=half), Job(lane, size=1))[1].refused == [(1.5, Overloaded)]
    await turns.finished()


@in_virtual_time
async def test_who_waits_past_its_time_is_told_then_and_never_begins():
    turns = Turns(max_at_work=1, max_pending=1)
    lane = turns.lane()
    first, late = submitted(turns, Job(lane, 5.0), Job(lane, until=2.0, size=67_108_864))
    await asyncio.sleep(3.0)
    assert (late.refused, turns.pending) == ([(2.0, RequestTimedOut)], 0)
    (next_one,) = submitted(turns, Job(lane, until=20.0, size=67_108_864))
    assert next_one.refused == []
    await turns.finished()
    assert (first.refused, late.begun, next_one.begun) == ([], None, 5.0)
    assert late.coroutine.cr_frame is None  # closed


@in_virtual_time
async def test_who_waits_past_its_time_leaves_the_room_and_who_is_behind_stays():
    turns = Turns(max_at_work=1, max_pending=3)
    lane = turns.lane()
    _, late, behind = submitted(turns, Job(lane, 5.0), Job(lane, until=2.0), Job(lane, until=20.0))
    await asyncio.sleep(3.0)
    assert [entry.job for entry in lane.waiting] == [behind]
    await turns.finished()
    assert begun([late, behind]) == [None, 5.0]


@in_virtual_time
async def test_who_is_at_work_past_its_time_is_told_and_cut_off():
    turns = Turns(max_at_work=1, max_pending=1)
    (job,) = submitted(turns, Job(turns.lane(), 9.0, until=2.0))
    await turns.finished()
    assert (job.refused, job.over) == ([(2.0, RequestTimedOut)], 2.0)
    assert [type(error) for error in job.ends] == [asyncio.CancelledError]


@in_virtual_time
async def test_who_has_written_is_told_and_has_the_grace_to_end():
    turns = Turns(max_at_work=1, max_pending=1)
    done, stuck = Job(turns.lane(), 4.0, until=2.0, grace=3.0), Job(turns.lane(), 99.0, until=9.0, grace=3.0)
    done.writes = stuck.writes = True
    submitted(turns, done, stuck)
    await turns.finished()
    assert (done.refused, done.over, done.ends) == ([(2.0, RequestTimedOut)], 4.0, [None])
    assert (stuck.refused, stuck.begun, stuck.over) == ([(9.0, RequestTimedOut)], 4.0, 12.0)
    assert [type(error) for error in stuck.ends] == [asyncio.CancelledError]


@in_virtual_time
async def test_who_ends_with_an_error_has_ended_with_it_and_makes_room():
    turns = Turns(max_at_work=1, max_pending=1)
    broken, next_one = Job(turns.lane()), Job(turns.lane())
    broken.error = ZeroDivisionError()
    submitted(turns, broken, next_one)
    await turns.finished()
    assert (broken.ends, next_one.begun, next_one.ends) == ([broken.error], 1.0, [])


@in_virtual_time
async def test_a_request_that_is_done_is_not_looked_at_when_its_time_comes():
    turns = Turns(max_at_work=1, max_pending=1)
    (job,) = submitted(turns, Job(turns.lane(), 1.0, until=2.0))
    await asyncio.sleep(5.0)
    assert (job.refused, job.ends) == ([], [])


@in_virtual_time
async def test_who_is_impatient_goes_on_without_a_turn_and_takes_no_place_from_others():
    turns = Turns(max_at_work=1, max_pending=3)
    lane = turns.lane()
    jobs = [Job(lane, 5.0), Job(lane, until=20.0), Reader(lane, 2.0, at_hand=True), Job(lane, until=20.0)]
    submitted(turns, *jobs)
    more = submitted(turns, Reader(lane, 2.0, at_hand=True))  # there is no room to wait in
    await asyncio.sleep(3.0)
    assert (turns.at_work, turns.pending) == (1, 2)
    await turns.finished()
    assert begun(jobs + more) == [0.0, 5.0, None, 6.0, None]
    assert [job.refused + job.ends for job in jobs + more] == [[], [], [(2.0, Replied)], [], [(0.0, Replied)]]
    assert (len(lane.waiting), lane.at_work) == (0, 0)


@in_virtual_time
async def test_a_large_one_that_goes_on_without_a_turn_is_answered_though_nobody_can_take_its_place():
    turns = Turns(max_at_work=4, max_pending=3)
    lane = turns.lane()
    submitted(turns, *(Job(lane, 5.0) for _ in range(3)))
    large, behind = submitted(turns, Reader(lane, 2.0, at_hand=True, size=2 * SMALL), Job(lane))
    await turns.finished()
    assert (large.refused, behind.begun) == ([(2.0, Replied)], 5.0)


@in_virtual_time
async def test_who_waits_no_more_is_not_held_whoever_stands_before_it():
    turns = Turns(max_at_work=1, max_pending=100)
    lane = turns.lane()
    first = Job(lane, 50.0, until=100.0)
    patient = [Job(lane, 1.0, until=90.0 + number) for number in range(2)]
    passed_over = [Reader(lane, 2.0, at_hand=True) for _ in range(3)]
    late = [Job(lane, 1.0, until=3.0) for _ in range(3)]
    submitted(turns, first, patient[0], *passed_over, *late, patient[1])
    assert turns.pending == len(lane.waiting) == 8
    gone = [weakref.ref(job) for job in (*passed_over, *late)]
    del passed_over, late
    await asyncio.sleep(4.0)
    gc.collect()
    assert [ref() for ref in gone] == [None] * 6
    assert [entry.job for entry in lane.waiting] == patient
    await turns.finished()
    assert begun(patient) == [50.0, 51.0]


@in_virtual_time
async def test_of_who_is_impatient_64_mib_are_held_however_often_they_come():
    turns = Turns(max_at_work=1, max_pending=100)
    lane = turns.lane()
    submitted(turns, Job(lane, 50.0, until=100.0), Job(lane, until=100.0))
    held: weakref.WeakSet[Job] = weakref.WeakSet()
    for _ in range(5):
        for _ in range(70):
            job = Reader(lane, 1.0, at_hand=True, size=1024 * 1024)
            held.add(job)
            turns.submit(job)
        del job
        await asyncio.sleep(0.5)
        gc.collect()
        assert sum(job.size for job in held) <= 67_108_864
        await asyncio.sleep(1.0)
    gc.collect()
    assert (len(held), turns.pending) == (0, 1)
    turns.abandon()
    await turns.finished()


@in_virtual_time
async def test_who_goes_on_without_a_turn_and_has_nothing_to_say_waits_for_one_in_its_place():
    turns = Turns(max_at_work=4, max_pending=100)
    lane, other = turns.lane(), turns.lane()
    first = submitted(turns, *(Job(lane, 5.0) for _ in range(3)))
    readers = submitted(turns, *(Reader(lane, 1.0, at_hand=False, until=20.0, size=50) for _ in range(6)))
    await asyncio.sleep(0.5)
    behind = submitted(turns, Job(lane, until=20.0))
    await asyncio.sleep(1.0)
    # Passed over, they have neither a slot nor less weight, and nobody else is kept from a turn.
    assert (turns.at_work, lane.at_work, turns.pending, turns._pending_bytes) == (3, 3, 7, 400)  # noqa: SLF001
    quick = submitted(turns, Job(other))
    await turns.finished()
    assert begun(first + readers + behind + quick) == [0.0] * 3 + [5.0] * 3 + [6.0] * 3 + [7.0, 1.5]
    assert (lane.at_work, turns.at_work, turns.pending, turns._pending_bytes) == (0, 0, 0, 0)  # noqa: SLF001
    assert [job.refused for job in readers] == [[]] * 6


@in_virtual_time
async def test_who_waits_for_its_turn_again_does_so_until_its_time_is_up():
    turns = Turns(max_at_work=1, max_pending=2)
    lane = turns.lane()
    submitted(turns, Job(lane, 30.0, until=40.0))
    late, endless = submitted(turns, *(Reader(lane, patience, at_hand=False) for patience in (1.0, 60.0)))
    assert turns.pending == 2
    surplus = submitted(turns, Reader(lane, 1.0, at_hand=False))[0]
    await asyncio.sleep(11.0)
    assert (surplus.refused, turns.pending) == ([(0.0, Overloaded)], 0)
    assert (late.refused, endless.refused) == ([(10.0, RequestTimedOut)],) * 2
    assert begun([late, endless, surplus]) == [None] * 3
    assert turns.abandon() == 1
    await turns.finished()


@in_virtual_time
async def test_who_is_impatient_and_has_its_turn_in_time_has_all_its_time():
    turns = Turns(max_at_work=1, max_pending=3)
    lane = turns.lane()
    first, job = Job(lane, 1.0), Reader(lane, 2.0, at_hand=False)
    job.seconds = 5.0
    submitted(turns, first, job)
    await turns.finished()
    assert (job.begun, job.over, job.refused, job.deadline.passed_over) == (1.0, 6.0, [], False)


@in_virtual_time
async def test_who_went_on_without_a_turn_is_not_counted_when_all_is_abandoned():
    turns = Turns(max_at_work=1, max_pending=3)
    lane = turns.lane()
    jobs = [Job(lane, 99.0, until=200.0), Job(lane, until=200.0)]
    jobs += [Reader(lane, 1.0, at_hand=at_hand, until=200.0) for at_hand in (True, False)]
    submitted(turns, *jobs)
    await asyncio.sleep(3.0)
    assert turns.abandon() == 3
    await turns.finished()
    assert [job.refused for job in jobs] == [[(3.0, RequestTimedOut)]] * 2 + [
        [(1.0, Replied)],
        [(3.0, RequestTimedOut)],
    ]


@in_virtual_time
async def test_what_is_abandoned_is_told_at_once_and_cut_off_and_nothing_more_is_taken():
    turns = Turns(max_at_work=1, max_pending=5)
    lane = turns.lane()
    told = Job(lane, 99.0, until=1.0, grace=50.0)
    told.writes = True
    submitted(turns, told)
    await asyncio.sleep(2.0)
    waiting = submitted(turns, Job(lane), Job(turns.lane()))
    assert turns.abandon() == 2  # the first has been told before
    assert [job.refused for job in waiting] == [[(2.0, RequestTimedOut)]] * 2
    (later,) = submitted(turns, Job(lane))
    assert later.refused == [(2.0, RequestTimedOut)]
    await turns.finished()
    assert (told.refused, told.over, begun([*waiting, later])) == ([(1.0, RequestTimedOut)], 2.0, [None] * 3)
    assert turns.abandon() == 0


@in_virtual_time
async def test_of_what_is_abandoned_none_begins_for_another_that_left_and_none_is_held():
    turns = Turns(max_at_work=8, max_pending=5)
    lane = turns.lane()
    submitted(turns, Job(lane, 9.0, size=MAX_BYTES_AT_WORK - 2 * SMALL))
    waiting = submitted(turns, Job(lane, size=4 * SMALL), Job(lane, size=2 * SMALL))
    for job in waiting:
        job.deadline.begun = False
    assert turns.abandon() == 3
    assert [job.deadline.begun for job in waiting] == [False, False]
    gone = [weakref.ref(job) for job in waiting]
    del job, waiting
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    await turns.finished()


@in_virtual_time
async def test_who_is_at_work_is_told_too_when_all_is_abandoned():
    turns = Turns(max_at_work=2, max_pending=5)
    jobs = submitted(turns, Job(turns.lane(), 99.0), Job(turns.lane(), 99.0))
    await asyncio.sleep(1.0)
    assert turns.abandon() == 2
    await turns.finished()
    assert [(job.refused, job.over) for job in jobs] == [([(1.0, RequestTimedOut)], 1.0)] * 2


@in_virtual_time
async def test_whoever_waits_for_the_end_waits_for_those_that_expire_too():
    turns = Turns(max_at_work=1, max_pending=5)
    lane = turns.lane()
    submitted(turns, Job(lane, 1.0), Job(lane, until=0.5))
    await turns.finished()
    assert now() == pytest.approx(1.0)
    await turns.finished()  # there is nothing to wait for


@in_virtual_time
async def test_the_work_is_done_in_the_context_of_the_request():
    turns, seen = Turns(max_at_work=1, max_pending=5), []
    job = Job(turns.lane())
    job.coroutine.close()
    job.context.run(set_deadline, job.deadline)

    async def look() -> None:
        seen.append(current_deadline())

    job.coroutine = look()
    submitted(turns, job)
    await turns.finished()
    assert seen == [job.deadline]
