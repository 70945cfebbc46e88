# SPDX-License-Identifier: MIT
"""`auth-service` as a process, forked from one that has loaded the command: loading it takes seconds of CPU."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import time
from pathlib import Path

from tests.support.forking import Forked, command

PATIENCE = 120.0


class Typed:
    """A running command. `terminal`: it has one, on which Ctrl-C is typed; else it gets the signal."""

    def __init__(self, folder, *arguments, terminal=False):
        self._output = folder / "output"
        self._master, slave = pty.openpty() if terminal else (-1, -1)
        place = os.ttyname(slave) if terminal else str(self._output)
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        streams = [place] * 3 if terminal else [os.devnull, place]
        self._process = Forked(command, arguments, streams=streams, environment=environment)
        self._shown = b""
        self._slave = slave

    def interrupt(self):
        """Do what Ctrl-C does."""
        if self._master >= 0:
            os.write(self._master, b"\x03")
        else:
            self._process.send_signal(signal.SIGINT)

    def kill(self):
        """End it as nobody can help against."""
        self._process.kill()
        return self.ended()

    def ended(self):
        """Wait for its end; gives the exit status."""
        end = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < end:
            self.output()
            time.sleep(0.02)
        if self._process.poll() is None:
            raise AssertionError(f"it goes on:\n{self.output()}")
        return self._process.returncode

    def until(self, holds):
        """Wait until something holds; fails when the process ends before."""
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end or self._process.poll() is not None:
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
        self._process.kill()
        self._process.wait()
        if self._master >= 0:
            os.close(self._master)
            os.close(self._slave)


@contextlib.contextmanager
def forked(folder: Path, *arguments, terminal=False):
    """Run the command while the context lasts."""
    process = Typed(folder, *arguments, terminal=terminal)
    try:
        yield process
    finally:
        process.close()
