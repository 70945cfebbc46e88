# SPDX-License-Identifier: MIT
"""What work costs, in CPU time of this thread: what other processes do meanwhile does not count.

A quadratic cost is off by a factor of a hundred at the sizes in question, an exponential one never ends. So the
bounds are generous, and a test that fails says so surely.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
MOST = 0.05
"""Seconds that the largest message may cost (contract, operations)."""

SLACK = 12
"""How much longer it may take here: coverage counts every line, others use the same core and its caches.

The bound itself is measured by the bench. What is worse than linear need not reach this: see `assert_grows_evenly`.
"""

_TIMES = 16
_UNEVEN = 4
"""How much faster than a text its cost may seem to grow: a sixteenth of it is measured less exactly."""

_TRIES = 5
_NEVER = 5


def seconds(work: Callable[[], object], enough: float = 0.0) -> float:
    """Return the CPU time that `work` takes, the least of some tries; tries end at the first that is `enough`."""
    least = float("inf")
    for _ in range(_TRIES):
        with _given_up(_NEVER):
            begun = time.thread_time()
            work()
            least = min(least, time.thread_time() - begun)
        if least <= enough:
            break
    return least


def assert_bounded(work: Callable[[str], object], piece: str, size: int = MIB) -> None:
    """Assert that `work` on a text of so many characters, made of `piece`, costs at most what a message may.

    A sixteenth of it is tried first: what is far worse than linear shows there, before it takes for ever.
    """
    whole = (piece * (size // len(piece) + 1))[:size]
    for text in (whole[: size // _TIMES], whole):
        cost = seconds(lambda: work(text), MOST)  # noqa: B023 - called at once
        assert cost <= MOST * SLACK, f"{len(text):,} characters of {piece[:20]!r}: {cost * 1000:,.0f} ms"
    assert_grows_evenly(cost, lambda: work(whole[: size // _TIMES]), MOST)


def assert_grows_evenly(cost: float, smaller: Callable[[], object], little: float) -> None:
    """Assert that `cost` is what one expects of the cost of a sixteenth, whose work is `smaller`.

    So it does not matter how fast the machine is. A quadratic cost is sixteen times as high. `little` is what need not
    grow with the size, in seconds.
    """
    if cost > little:
        part = seconds(smaller)
        most = little + part * _TIMES * _UNEVEN
        assert cost <= most, f"{cost * 1000:,.0f} ms, and {part * 1000:,.1f} ms for a sixteenth"


@contextmanager
def _given_up(after: int) -> Iterator[None]:
    """Break off what takes so many seconds of CPU time."""

    def give_up(*_: object) -> None:
        raise AssertionError(f"not done after {after} s")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
