# SPDX-License-Identifier: MIT
"""Ctrl-C where Python's own way is not good enough: while something is loaded, and where a running loop waits."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit status after Ctrl-C, as a shell reports it."""


def end_at_once(number: int, _: FrameType | None = None) -> None:
    """End the process: there is nothing in hand, and what is half imported or opened has no orderly end."""
    os._exit(128 + number)


@contextmanager
def nothing_in_hand() -> Iterator[None]:
    """Let Ctrl-C end the process at once, for as long as it only loads: Python would print where it was."""
    with _handled(end_at_once):
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt at once: a running loop only takes note of it, and goes on waiting."""
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    # What runs in the background ignores it, and goes on doing so.
    if before is signal.SIG_IGN or before is None:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
