# SPDX-License-Identifier: MIT
"""Ctrl-C while an event loop runs: it cancels the work, which cleans up, and raises nothing where the loop is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import app.cli
from app.cli import dev
from app.cli.compare.running import _End, _signals
from app.interruption import end_at_once, interruptible, on_ctrl_c, run, uninterrupted


@pytest.fixture(autouse=True)
def _signals_as_before():
    """After an interruption Ctrl-C is ignored: the process is about to end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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
    ctrl_c(times, raised)  # while the last word is said
    assert raised == []


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


def test_the_work_can_take_it_for_something_else_and_give_it_back():
    heard = []

    async def work():
        task, first = asyncio.current_task(), asyncio.Event()
        on_ctrl_c(first.set)
        signal.raise_signal(signal.SIGINT)
        await first.wait()
        heard.append(True)
        on_ctrl_c(task.cancel)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert heard == [True]


def test_a_thread_that_is_still_at_work_holds_up_neither_the_last_word_nor_who_presses_it_again():
    code = (
        "import asyncio, os, signal, sys, threading, time\n"
        "from app import cli, entry, interruption\n"
        "def again():\n"
        "    threading.main_thread().join(0.5)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "async def work():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    loop.call_later(0.1, ctrl_c)\n"
        "    await asyncio.to_thread(time.sleep, 3600)\n"
        "def ctrl_c():\n"
        "    for _ in range(3):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "def command():\n"
        "    try:\n"
        "        interruption.run(work())\n"
        "    except KeyboardInterrupt:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        print('interrupted', flush=True)\n"
        "        threading.Thread(target=again, daemon=True).start()\n"
        "        sys.exit(130)\n"
        "cli.main = command\n"
        "entry.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "interrupted\n", "")


@pytest.mark.parametrize("calls", [1, 10, 100, 1_000, 10_000])
def test_wherever_the_command_is_it_ends_without_a_trace_of_it(calls):
    code = (
        "import signal, sys\n"
        "from app import cli, entry\n"
        f"left = {calls}\n"
        "def count(*_):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if not left:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "command = cli.main\n"
        "def counted():\n"
        "    sys.setprofile(count)\n"
        "    command()\n"
        "cli.main = counted\n"
        "entry.main()\n"
    )
    words = [sys.executable, "-c", code, "asyncapi", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)


def test_in_a_thread_the_work_is_done_without_it():
    ended = []
    thread = threading.Thread(target=lambda: ended.append(run(asyncio.sleep(0, "done"))))
    thread.start()
    thread.join()
    assert ended == ["done"]


def test_a_comparison_ends_with_its_report_and_at_once_the_second_time():
    raised, end = [], _End()

    async def work():
        with _signals(end):
            signal.raise_signal(signal.SIGINT)
            await end.reached.wait()
            asyncio.get_running_loop().call_soon(ctrl_c, 2, raised)
            await asyncio.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert (end.early, raised) == ("it was asked to", [])
    assert signal.getsignal(signal.SIGTERM) is end_at_once


def test_where_the_loop_stands_still_it_can_be_raised_at_once_and_cuts_off_no_cleaning_up():
    cleaned = []

    async def work():
        try:
            with interruptible():
                signal.raise_signal(signal.SIGINT)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert cleaned == [True]


def test_it_can_be_put_off_until_what_is_begun_is_known():
    done = []

    def begin():
        with uninterrupted():
            ctrl_c(2, done)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        begin()
    assert done == [True]
    with uninterrupted():
        done.append(True)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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


def test_no_command_runs_a_loop_in_another_way():
    sources = [path.read_text(encoding="utf-8") for path in Path(app.cli.__file__).parent.rglob("*.py")]
    assert [line for source in sources for line in source.splitlines() if "asyncio.run(" in line] == []


def test_a_second_sigterm_while_dev_ends_is_an_interruption(monkeypatch):
    monkeypatch.setattr(dev, "run", lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL) and 0)
    dev._serve(None, None)  # noqa: SLF001 - what ends after it are processes
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
