# SPDX-License-Identifier: MIT
"""The command `auth-service`, run as a process of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.support.forking import FORKED, Forked, command

COMMAND = (sys.executable, "-m", "app.cli")
PATIENCE = 120.0


def run(*arguments, stdin=b"", cwd=None, **environment):
    """Run the command to its end; gives exit status, standard output and standard error."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin)
        process = Forked(
            command,
            arguments,
            streams=[str(stream) for stream in streams],
            cwd=cwd,
            environment={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment},
        )
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, status, *(stream.read_bytes() for stream in streams[1:]))


class Process:
    """A command that goes on until it is told to end."""

    def __init__(self, popen, output):
        self.popen = popen
        self.output = ""
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(output,), daemon=True).start()

    def _read(self, output):
        with os.fdopen(os.dup(output.fileno()), "rb") as lines:
            output.close()
            for line in lines:
                self._lines.put(line.decode())
        self._lines.put(None)

    def until(self, text):
        """Read on until a line holds `text`, or a pattern matches in it; gives that line."""
        end = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.0, end - time.monotonic()))) is not None:
            self.output += line
            if text.search(line) if isinstance(text, re.Pattern) else text in line:
                return line
        raise AssertionError(f"ended before it said {text!r}:\n{self.output}")

    def end(self, number=signal.SIGINT):
        """Send a signal; gives the exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)

    def children(self):
        """The process ids of its children."""
        listed = subprocess.run(["pgrep", "-P", str(self.popen.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]


def alive(pid):
    """Tell whether there is a process of that id."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def pasted(output):
    """The requests that `dev` printed, as they would be pasted."""
    whole = re.sub(r" \\\n +", " ", output)
    return [line.strip() for line in whole.splitlines() if " request --nats-url " in line]


@contextlib.contextmanager
def started(*arguments, cwd=None, **environment):
    """Run the command while the context lasts; it gets SIGINT at the end, if it still runs."""
    output, end = FORKED.Pipe(duplex=False)
    popen = Forked(command, arguments, streams=[os.devnull, end], cwd=cwd, environment={**os.environ, **environment})
    end.close()
    try:
        yield Process(popen, output)
    finally:
        if popen.poll() is None:
            popen.send_signal(signal.SIGINT)
            try:
                popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                popen.kill()
