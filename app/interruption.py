# SPDX-License-Identifier: MIT
"""Ctrl-C where Python's own way is not good enough: while something is loaded, and where a running loop waits."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

_T = TypeVar("_T")

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


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run `work` in an event loop, and return what it gives. Ctrl-C cancels it: KeyboardInterrupt, once it has ended.

    The caller can then clean up, and is not interrupted again: further Ctrl-C is ignored.

    `asyncio.run` raises KeyboardInterrupt at a second Ctrl-C wherever the loop is just then. A callback that the loop
    had taken and not yet called is lost with it, and a task that waits for that never ends. And it waits for threads,
    such as one that looks up a name.
    """
    import asyncio  # noqa: PLC0415 - Ctrl-C is handled from before it is loaded
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    async def whole() -> _T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        on_ctrl_c(task.cancel if task else lambda: None)
        try:
            return await work
        except asyncio.CancelledError:
            loop.set_default_executor(ThreadPoolExecutor())  # one that has no threads to wait for
            if loop.remove_signal_handler(signal.SIGINT):
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def on_ctrl_c(do: Callable[[], object]) -> None:
    """Let Ctrl-C call `do` in the running loop from now on; nothing is done in a thread, and where it is ignored."""
    import asyncio  # noqa: PLC0415
    import threading  # noqa: PLC0415

    in_charge = threading.current_thread() is threading.main_thread()
    if in_charge and is_heard():
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, do)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt at once, where what waits is no task of the running loop.

    The loop gets no signal: it would only take note of it, and cancel the clean-up later.
    """
    with _handled(signal.default_int_handler):
        loop = signal.set_wakeup_fd(-1)
        try:
            yield
        finally:
            signal.set_wakeup_fd(loop)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off until the context ends, so that what is started in it can be ended later."""
    import threading  # noqa: PLC0415 - see above

    if threading.current_thread() is not threading.main_thread():  # Ctrl-C is for the main thread
        yield
        return
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    with _handled(lambda number, _: came.append(number)):
        yield
    if came and callable(before):
        before(signal.SIGINT, None)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if not is_heard():
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_heard() -> bool:
    """Tell whether Ctrl-C means anything here: what runs in the background ignores it, and goes on doing so."""
    return signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None)
