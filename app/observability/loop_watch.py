# SPDX-License-Identifier: MIT
"""Watches the event loop: its longest delay, and the place where it was blocked.

The loop sets its pulse twenty times a second. A thread looks whether it still does, because a loop that stands cannot
say so itself: see docs/decisions/0061-a-loop-that-stands.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry, Metric

_PERIOD: Final = 0.05
"""Seconds from one beat of the pulse to the next."""
STALL: Final = 0.25
"""Seconds for which a beat must be late for the loop to count as standing."""
_AGAIN: Final = 10.0
"""Seconds from one stall that is told to the next: those in between are counted."""
_MAX_FRAMES: Final = 30
_MAX_FRAME: Final = 200


@contextlib.contextmanager
def watching(registry: CollectorRegistry, tell: Callable[..., None] | None, again: float = _AGAIN) -> Iterator[None]:
    """Watch the running loop while the context lasts: measure it in `registry`, and log stalls.

    `tell` is `Sink.tell`; without it, stalls are only measured. At most one is logged in `again` seconds.
    """
    pulse, stopping = Pulse(), threading.Event()
    registry.register(pulse)
    watch = threading.Thread(target=_watch, args=(pulse, tell, again, stopping), name="loop-watch", daemon=True)
    if tell is not None:
        watch.start()
    try:
        yield
    finally:
        stopping.set()
        if tell is not None:
            watch.join()
        pulse.timer.cancel()


class Pulse(Collector):
    """The loop's own part: a timer, and by how much it was late."""

    def __init__(self) -> None:
        """Begin in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._worst: dict[int, float] = {}
        self._ever = 0.0
        self._stalls = 0
        self.thread = threading.get_ident()
        self.stood = 0.0
        """Seconds for which the loop stood when it last did."""
        self._arm()

    def _arm(self) -> None:
        self.used = time.thread_time()
        """Seconds of CPU that the loop's thread had used by the last beat."""
        self.due = time.monotonic() + _PERIOD
        self.timer = self._loop.call_later(_PERIOD, self._beat)

    def _beat(self) -> None:
        late = time.monotonic() - self.due
        self._ever = max(self._ever, late)
        for reader in list(self._worst):  # an exporter's thread may come in between
            self._worst[reader] = max(self._worst[reader], late)
        if late > STALL:
            self._stalls += 1
            self.stood = late
        self._arm()

    def collect(self) -> Iterator[Metric]:
        """Yield the worst delay since the same thread (of `/metrics`, of an exporter) last asked, and the stalls."""
        reader = threading.get_ident()
        worst = max(self._worst.get(reader, self._ever), time.monotonic() - self.due, 0.0)
        self._worst[reader] = 0.0
        text = "The event loop's worst delay since this was last read."
        yield GaugeMetricFamily("auth_service_event_loop_lag_seconds", text, worst)
        text = "Times that the event loop stood for more than 0.25 s."
        yield CounterMetricFamily("auth_service_event_loop_stalls", text, self._stalls)


def _watch(pulse: Pulse, tell: Callable[..., None], again: float, stopping: threading.Event) -> None:
    """See the loop stand, and say where while it does: what the thread does, until `stopping`."""
    # macOS has no such clock.
    clock = time.pthread_getcpuclockid(pulse.thread) if hasattr(time, "pthread_getcpuclockid") else None
    untold, quiet_until = 0, 0.0
    while not stopping.wait(max(pulse.due + STALL - time.monotonic(), _PERIOD)):
        due, now = pulse.due, time.monotonic()
        if now - due <= STALL:
            continue
        if telling := now >= quiet_until:
            # Little of it, and the loop waits: for a call that blocks, or for a processor.
            used = {} if clock is None else {"cpu_seconds": round(time.clock_gettime(clock) - pulse.used, 3)}
            seen = {"seconds": round(now - due, 3), "stack": _stack(pulse.thread), **used}
            tell("warn", "the event loop stands", untold_before=untold, **seen)
            untold, quiet_until = 0, now + again
        else:
            untold += 1
        while pulse.due == due and not stopping.wait(_PERIOD):
            pass
        if telling and pulse.due != due:
            tell("warn", "the event loop goes on", stood_seconds=round(pulse.stood, 3))


def _stack(thread: int) -> str:
    """Return where a thread is, innermost first, which is never cut off: functions, lines, and none of their values."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, and the only way to another thread's frames
    if frame is None:
        return ""
    lines = ((frame.f_code, line) for frame, line in itertools.islice(traceback.walk_stack(frame), _MAX_FRAMES))
    frames = [f"{code.co_filename}:{line} {code.co_name}"[-_MAX_FRAME:] for code, line in lines]
    return " < ".join(frames)
