# SPDX-License-Identifier: MIT
"""`auth-service` as a process, forked from one that has loaded the command: loading it takes seconds of CPU."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

from tests.support.forking import FORKED

PATIENCE = 120.0


def _main(arguments, environment, output, terminal):
    """Be the command; what it puts out goes to a file, or to a terminal that is its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()  # a terminal that it opens now is its own, so that Ctrl-C there reaches it
    place = os.open(output, os.O_RDWR | (0 if terminal else os.O_CREAT | os.O_APPEND), 0o600)
    for number in (0, 1, 2) if terminal else (1, 2):
        os.dup2(place, number)
    if terminal:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lasts as long as the process
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["auth-service", *arguments]
    from app.cli import main  # noqa: PLC0415 - in the process that is forked, where it is loaded

    main()


class Forked:
    """A running command. `terminal`: it has one, on which Ctrl-C is typed; else it gets the signal."""

    def __init__(self, folder, *arguments, terminal=False):
        self._output = folder / "output"
        self._master, slave = pty.openpty() if terminal else (-1, -1)
        place = os.ttyname(slave) if terminal else str(self._output)
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        self._process = FORKED.Process(target=_main, args=(arguments, environment, place, terminal))
        self._process.start()
        self._shown = b""
        self._slave = slave

    def interrupt(self):
        """Do what Ctrl-C does."""
        if self._master >= 0:
            os.write(self._master, b"\x03")
        else:
            os.kill(self._process.pid, signal.SIGINT)

    def kill(self):
        """End it as nobody can help against."""
        self._process.kill()
        return self.ended()

    def ended(self):
        """Wait for its end; gives the exit status."""
        end = time.monotonic() + PATIENCE
        while self._process.is_alive() and time.monotonic() < end:
            self.output()
            self._process.join(0.02)
        if self._process.is_alive():
            raise AssertionError(f"it goes on:\n{self.output()}")
        return self._process.exitcode

    def until(self, holds):
        """Wait until something holds; fails when the process ends before."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end or not self._process.is_alive():
                raise AssertionError(f"it did not come to that:\n{self.output()}")
            time.sleep(0.01)

    def output(self):
        """What it has put out so far."""
        if self._master < 0:
            return self._output.read_text(encoding="utf-8") if self._output.exists() else ""
        with contextlib.suppress(OSError):  # what a terminal says once nobody is there any more
            while select.select([self._master], [], [], 0)[0]:
                self._shown += os.read(self._master, 65_536)
        return self._shown.decode()

    def close(self):
        """Leave nothing of it."""
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)


@contextlib.contextmanager
def forked(folder: Path, *arguments, terminal=False):
    """Run the command while the context lasts."""
    process = Forked(folder, *arguments, terminal=terminal)
    try:
        yield process
    finally:
        process.close()
