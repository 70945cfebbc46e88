# SPDX-License-Identifier: MIT
"""Tasks that are ended, locks that are forgotten, and what is put around a capability."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc

import pytest

from app.domain.around import around
from app.domain.errors import InputRequired
from app.domain.locks import KeyedLocks
from app.domain.ports import Absent
from app.domain.tasks import beside, ended
from tests.support.virtual_time import in_virtual_time, now


async def stubborn(times: int) -> None:
    """Go on for so many cancellations."""
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            times -= 1
            if not times:
                raise


@pytest.mark.parametrize(("times", "within", "seconds"), [(1, 5.0, 0.0), (2, 5.0, 5.0), (3, 5.0, 5.1), (3, None, 0.2)])
@in_virtual_time
async def test_a_task_is_cancelled_until_it_ends(times, within, seconds):
    task = asyncio.create_task(stubborn(times))
    await asyncio.sleep(0)
    await (ended(task) if within is None else ended(task, within))
    assert task.cancelled()
    assert now() == pytest.approx(seconds)


@in_virtual_time
async def test_a_task_that_has_ended_is_left_alone():
    async def broken() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    await ended(task)
    assert isinstance(task.exception(), ZeroDivisionError)


@in_virtual_time
async def test_work_beside_lasts_as_long_as_the_context():
    steps = []

    async def work() -> None:
        steps.append(asyncio.current_task().get_name())
        try:
            await asyncio.sleep(1000)
        finally:
            steps.append(now())

    with contextlib.suppress(ZeroDivisionError):
        async with beside(work(), "of that name"):
            await asyncio.sleep(5)
            raise ZeroDivisionError
    assert steps == ["of that name", 5.0]
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_a_key_has_one_lock_while_somebody_has_use_for_it():
    locks = KeyedLocks()
    order: list[str] = []

    async def hold(key: str, name: str) -> None:
        async with locks.of(key):
            order.append(f"{name} {now():.0f}")
            await asyncio.sleep(1)

    await asyncio.gather(hold("a", "first"), hold("a", "second"), hold("b", "other"))
    assert order == ["first 0", "other 0", "second 1"]
    gc.collect()
    assert len(locks._locks) == 0  # noqa: SLF001 - that it forgets shows nowhere else


class Capability:
    word = "as it is"

    async def find(self, name: str) -> str:
        return name

    def plain(self) -> str:
        return "plain"

    async def _hidden(self) -> str:
        return "hidden"


async def test_what_is_put_around_a_capability_is_around_its_coroutine_methods():
    def twice(method):
        @functools.wraps(method)
        async def call(*arguments):
            return await method(*arguments) * 2

        return call

    made = around(Capability(), twice)
    assert (await made.find("ab"), made.plain(), made.word) == ("abab", "plain", "as it is")
    assert not hasattr(made, "_hidden")
    absent = Absent(InputRequired)
    assert around(absent, twice) is absent
    assert around(None, twice) is None
