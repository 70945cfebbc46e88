# SPDX-License-Identifier: MIT
"""The first module of the command: signals end the process from here on, before anything is imported that takes time.

As process 1 of a container a process gets no signal that it does not handle (pid_namespaces(7)). The image starts the
command with SIGTERM blocked, so that one that comes before this module waits for it. The service takes the signal over
once it has something in hand. Ctrl-C ends it without a word while the command is loaded.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final, TextIO

from app.interruption import INTERRUPTED, end_at_once, is_heard, nothing_in_hand

_LAST_STREAM: Final = 2
"""The number of standard error."""


def main() -> None:
    """Run the command; see `app.cli`."""
    signal.signal(signal.SIGTERM, end_at_once)
    heard = is_heard()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    _open_what_is_closed()
    try:
        with nothing_in_hand():
            from app.cli import main as command  # noqa: PLC0415 - that is what takes time
        command()
    except KeyboardInterrupt:  # of where nothing else takes it, such as Typer at work on the commands
        sys.exit(INTERRUPTED)
    finally:
        if heard:  # threads may still be waited for, such as one that looks up a name
            signal.signal(signal.SIGINT, end_at_once)


def _open_what_is_closed() -> None:
    """Let a standard stream that is closed lead nowhere: what is opened next would get its number.

    The event loop would take that for a stream of the process, and abort when it closes it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
        os.set_inheritable(number, True)  # noqa: FBT003 - it takes no name
    os.close(number)
    # Python has None for them; standard input stays that, so that nobody takes nothing for an input.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123 - as the streams of Python
