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

What is worse than linear takes thousands of times as long. The bound itself is measured by the bench.
"""

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

    A sixteenth of it is tried first: what is worse than linear shows there, before it takes for ever.
    """
    for part in (size // 16, size):
        text = (piece * (part // len(piece) + 1))[:part]
        cost = seconds(lambda: work(text), MOST)  # noqa: B023 - called at once
        assert cost <= MOST * SLACK, f"{part:,} characters of {piece[:20]!r}: {cost * 1000:,.0f} ms"


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
