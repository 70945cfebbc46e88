# SPDX-License-Identifier: MIT
"""The first module of the command: SIGTERM ends the process from here on, before anything is imported that takes time.

As process 1 of a container a process gets no signal that it does not handle (pid_namespaces(7)). The image starts the
command with SIGTERM blocked, so that one that comes before this module waits for it. The service takes the signal over
once it has something in hand.
"""

from __future__ import annotations

import os
import signal

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


def _end(*_: object) -> None:
    # At once: there is nothing in hand, and what is half imported or opened has no orderly end.
    os._exit(_ENDED_BY_SIGTERM)


def main() -> None:
    """Run the command; see `app.cli`."""
    signal.signal(signal.SIGTERM, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    from app.cli import main as command  # noqa: PLC0415 - that is what takes time

    command()
