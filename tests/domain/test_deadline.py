# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio

from app.domain.deadline import Deadline, current_deadline, set_deadline
from tests.support.virtual_time import in_virtual_time


async def test_outside_of_a_request_there_is_no_end():
    assert current_deadline().remaining() == float("inf")


async def test_what_is_left_is_never_below_zero():
    assert Deadline(asyncio.get_running_loop().time() - 5).remaining() == 0.0


async def test_the_deadline_of_the_request_at_work_is_the_current_one():
    deadline = Deadline(at=0.0)
    set_deadline(deadline)
    assert current_deadline() is deadline
    assert not deadline.committed
    current_deadline().commit()
    assert deadline.committed


@in_virtual_time
async def test_a_write_prolongs_the_work_and_not_the_wait_for_the_reply():
    deadline = Deadline(asyncio.get_running_loop().time() + 5, grace=10)
    assert (deadline.remaining(), deadline.until_reply()) == (5, 5)
    deadline.commit()
    assert (deadline.remaining(), deadline.until_reply()) == (15, 5)
    await asyncio.sleep(6)
    assert (deadline.remaining(), deadline.until_reply()) == (9, 0)
    await asyncio.sleep(10)
    assert (deadline.remaining(), deadline.until_reply()) == (0, 0)
