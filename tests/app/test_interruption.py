# SPDX-License-Identifier: MIT
"""Ctrl-C while an event loop runs: it cancels the work, which cleans up, and raises nothing where the loop is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from app.interruption import cancel_on_ctrl_c, interruptible, run


def ctrl_c(times, raised):
    """Press it; note what comes of that where it is pressed."""
    try:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raised.append(error)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_it_cancels_the_work_however_often_it_comes_and_raises_nothing_in_the_loop(times):
    raised, ended = [], []

    async def work():
        asyncio.get_running_loop().call_soon(ctrl_c, times, raised)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert (raised, ended) == ([], [True])


def test_it_cancels_the_cleaning_up_too():
    async def work():
        loop = asyncio.get_running_loop()
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            loop.call_soon(signal.raise_signal, signal.SIGINT)
            await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        run(work())


def test_who_took_it_for_something_else_gives_it_back():
    async def work():
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        cancel_on_ctrl_c()
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        run(work())


def test_where_the_loop_stands_still_it_can_be_raised_at_once():
    async def work():
        with interruptible():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(work())


def test_a_result_and_an_error_come_through_and_the_signal_is_pythons_again():
    async def gives():
        return 7

    async def fails():
        raise ValueError("its own")

    assert run(gives()) == 7
    with pytest.raises(ValueError, match="its own"):
        run(fails())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_runs_in_the_background_goes_on_ignoring_it():
    code = (
        "import asyncio, signal\n"
        "from app.interruption import run\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "async def work():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    await asyncio.sleep(0.1)\n"
        "    print('done')\n"
        "run(work())\n"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["done", "True"]
