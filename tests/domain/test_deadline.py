# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio

from app.domain.deadline import Deadline, current_deadline, set_deadline


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
