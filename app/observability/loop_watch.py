# SPDX-License-Identifier: MIT
"""Whether the event loop turns: how late it was at worst, and where it stood when it did not turn at all.

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
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry, Metric

_PERIOD: Final = 0.05
"""Seconds from one beat of the pulse to the next."""
STALL: Final = 0.25
"""Seconds for which a beat must be late for the loop to count as standing."""
_AGAIN: Final = 10.0
"""Seconds from one stall that is told to the next: those in between are counted."""
_MAX_FRAMES: Final = 30
_MAX_FRAME: Final = 200


class Tell(Protocol):
    """Writes into the log, whatever the loop's thread is at."""

    def __call__(self, level: str, message: str, /, **fields: object) -> None:
        """Write one record."""


@contextlib.contextmanager
def watching(registry: CollectorRegistry, tell: Tell | None, again: float = _AGAIN) -> Iterator[None]:
    """Watch the running loop while the context lasts: measured in `registry`, and told when it stands.

    Without `tell` it is measured only. From one stall that is told to the next there are `again` seconds at least.
    """
    pulse = Pulse()
    registry.register(pulse)
    watch = _Watch(pulse, tell, again) if tell is not None else None
    try:
        yield
    finally:
        if watch is not None:
            watch.stop()
        pulse.stop()


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
        self._timer = self._loop.call_later(_PERIOD, self._beat)

    def _beat(self) -> None:
        late = time.monotonic() - self.due
        self._ever = max(self._ever, late)
        for reader in list(self._worst):  # an exporter's thread may come in between
            self._worst[reader] = max(self._worst[reader], late)
        if late > STALL:
            self._stalls += 1
            self.stood = late
        self._arm()

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()

    def collect(self) -> Iterator[Metric]:
        """Yield the worst delay since the same thread (of `/metrics`, of an exporter) last asked, and the stalls."""
        reader = threading.get_ident()
        worst = max(self._worst.get(reader, self._ever), time.monotonic() - self.due, 0.0)
        self._worst[reader] = 0.0
        yield GaugeMetricFamily(
            "auth_service_event_loop_lag_seconds", "The event loop's worst delay since this was last read.", worst
        )
        yield CounterMetricFamily(
            "auth_service_event_loop_stalls", "Times that the event loop stood for more than 0.25 s.", self._stalls
        )


class _Watch:
    """The thread that sees the loop stand, and says where."""

    def __init__(self, pulse: Pulse, tell: Tell, again: float) -> None:
        self._pulse = pulse
        self._tell = tell
        self._again = again
        # macOS has no such clock.
        self._clock = time.pthread_getcpuclockid(pulse.thread) if hasattr(time, "pthread_getcpuclockid") else None
        self._untold = 0
        self._quiet_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(max(self._pulse.due + STALL - time.monotonic(), _PERIOD)):
            due = self._pulse.due
            if time.monotonic() - due <= STALL:
                continue
            told = self._begins(due)
            while self._pulse.due == due and not self._stopping.wait(_PERIOD):
                pass
            if told and self._pulse.due != due:
                self._tell("warn", "the event loop goes on", stood_seconds=round(self._pulse.stood, 3))

    def _begins(self, due: float) -> bool:
        """Tell of a stall while it lasts, unless another was told a moment ago."""
        now = time.monotonic()
        if now < self._quiet_until:
            self._untold += 1
            return False
        self._quiet_until = now + self._again
        fields: dict[str, object] = {"seconds": round(now - due, 3), "stack": _stack(self._pulse.thread)}
        if self._clock is not None:
            # Little of it, and the loop waits: for a call that blocks, or for a processor.
            fields["cpu_seconds"] = round(time.clock_gettime(self._clock) - self._pulse.used, 3)
        self._tell("warn", "the event loop stands", untold_before=self._untold, **fields)
        self._untold = 0
        return True


def _stack(thread: int) -> str:
    """Return where a thread is, innermost first, which is never cut off: functions, lines, and none of their values."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, and the only way to another thread's frames
    if frame is None:
        return ""
    lines = ((frame.f_code, line) for frame, line in itertools.islice(traceback.walk_stack(frame), _MAX_FRAMES))
    frames = [f"{code.co_filename}:{line} {code.co_name}"[-_MAX_FRAME:] for code, line in lines]
    return " < ".join(frames)
