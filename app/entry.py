# SPDX-License-Identifier: MIT
"""The first module of the command: signals end the process from here on, before anything is imported that takes time.

As process 1 of a container a process gets no signal that it does not handle (pid_namespaces(7)). The image starts the
command with SIGTERM blocked, so that one that comes before this module waits for it. The service takes the signal over
once it has something in hand. Ctrl-C ends it without a word while the command is loaded.
"""

from __future__ import annotations

import signal

from app.interruption import end_at_once, is_heard, nothing_in_hand


def main() -> None:
    """Run the command; see `app.cli`."""
    signal.signal(signal.SIGTERM, end_at_once)
    heard = is_heard()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with nothing_in_hand():
        from app.cli import main as command  # noqa: PLC0415 - that is what takes time

    try:
        command()
    finally:
        if heard:  # threads may still be waited for, such as one that looks up a name
            signal.signal(signal.SIGINT, end_at_once)
