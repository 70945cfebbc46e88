# SPDX-License-Identifier: MIT
"""Runs tests that are collected once: each time in a forked process, which ends at the first failure.

Nothing is run in the process that forks, so each child makes its servers and loops itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

_SOME: Final = 1.0
_MORE: Final = 4.0
"""A test may compute for a second, for what others have set up, and so many times what it takes by itself."""


@dataclass(frozen=True)
class Reached:
    """A test, by its number: its seconds, those in which it computed, and the functions that it reaches."""

    test: int
    seconds: float
    computing: float
    functions: list[str]
    passed: bool


@dataclass(frozen=True)
class Child:
    """A forked process: its id, where it says its result, and until when (`time.monotonic`)."""

    pid: int
    result: int
    until: float

    def end(self) -> bytes:
        """Return what the process says; nothing when it takes too long. It is ended, with all that it has started."""
        said = b""
        while (left := self.until - time.monotonic()) > 0 and select.select([self.result], [], [], left)[0]:
            if not (more := os.read(self.result, 1 << 16)):
                break
            said += more
        os.close(self.result)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return said


def explore(items: list[pytest.Item], limit: float) -> list[Reached]:
    """Run every test once, unchanged, within so many seconds; return what each has reached."""
    return [Reached(**one) for one in json.loads(_fork(lambda: list(_explored(items)), limit).end())]


def attack(items: list[pytest.Item], tests: list[Reached], mutant: str, limit: float) -> Child:
    """Start tests, in their order, on a mutant; the child says the name of the first that fails, or null."""
    bounds = [_SOME + _MORE * one.computing for one in tests]

    def run() -> str | None:
        set_mutant_under_test(mutant)
        return next(
            (item.nodeid for item, passed in _run([items[one.test] for one in tests], bounds) if not passed), None
        )

    return _fork(run, limit)


def _explored(items: list[pytest.Item]) -> Iterator[dict[str, Any]]:
    set_mutant_under_test("stats")
    before, computed = time.monotonic(), time.process_time()
    for number, (_, passed) in enumerate(_run(items, [0.0] * len(items))):
        functions = sorted(state()._stats)  # noqa: SLF001 - where mutmut notes it
        state()._stats.clear()  # noqa: SLF001
        seconds, computing = time.monotonic() - before, time.process_time() - computed
        yield vars(Reached(number, seconds, computing, functions, passed))
        before, computed = time.monotonic(), time.process_time()


def _run(items: list[pytest.Item], bounds: list[float]) -> Iterator[tuple[pytest.Item, bool]]:
    """Yield each test, and whether it has passed. The process ends when one computes for longer than its bound."""
    for item, after, bound in zip(items, [*items[1:], None], bounds, strict=True):
        signal.setitimer(signal.ITIMER_PROF, bound)
        reports = runtestprotocol(item, nextitem=after, log=False)
        yield item, not any(report.failed for report in reports)


def _fork(work: Callable[[], Any], limit: float) -> Child:
    """Do some work in a child, within so many seconds; it says what JSON makes of the result."""
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        return Child(pid, reading, time.monotonic() + limit)
    try:
        os.setpgid(0, 0)
        _stay_together()
        os.write(writing, json.dumps(work()).encode())
    finally:
        os._exit(0)


def _stay_together() -> None:
    """Let no process that is started leave the group: a nats-server of a session of its own would stay for ever."""
    begin = subprocess.Popen.__init__

    def begin_here(self: subprocess.Popen[Any], *given: Any, **more: Any) -> None:
        begin(self, *given, **{**more, "start_new_session": False, "process_group": None})

    subprocess.Popen.__init__ = begin_here  # type: ignore[method-assign]
