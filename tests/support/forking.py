# SPDX-License-Identifier: MIT
"""Processes of tests that begin with everything imported: that takes longer than most of what they do.

`multiprocessing` has one server a process that forks them, with one list of modules, so all of them stand here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "app.cli.check",
        "app.cli.compare.running",
        "app.cli.dev",
        "app.cli.request",
        "app.cli.tenant.run",
        "app.main",
        "providers.auth0",
        "providers.authelia",
        "providers.mock",
        "tests.stand_ins.auth0.process",
        "tests.stand_ins.authelia",
        "tests.support.parts",
        "tests.support.slow_service",
    ]
)


def command(*arguments):
    """Be the command `auth-service`."""
    sys.argv = [str(Path(sys.executable).with_name("auth-service")), *arguments]
    from app.entry import main  # noqa: PLC0415 - in the process that is forked, where it is loaded

    main()


class Forked:
    """A process that calls a function with these arguments; as `subprocess.Popen`, as far as tests ask for it.

    `streams` are its standard input, output and error: each a path, or an end of a `multiprocessing` pipe; without a
    third, errors go where the output goes. Its exit status is that of SystemExit, and 1 after another exception.
    """

    def __init__(self, call, arguments, *, streams, cwd=None, environment=None):
        everything = dict(os.environ) if environment is None else environment
        how = (call, arguments, streams, str(cwd or Path.cwd()), everything)
        self._process = FORKED.Process(target=_begin, args=how, daemon=True)
        self._process.start()

    @property
    def pid(self):
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self):
        """Its exit status, or None; a signal that ended it as a negative number."""
        return self._process.exitcode

    poll = returncode.fget

    def wait(self, timeout=None):
        """Wait until it ends; gives the exit status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked process", timeout)
        return self.returncode

    def send_signal(self, number):
        """Send it a signal, as long as it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        """End it as nobody can help against."""
        self.send_signal(signal.SIGKILL)


def _begin(call, arguments, streams, cwd, environment):
    """Be a process as the shell starts it: with its own signals, session, streams, folder and environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()  # a terminal that it opens now is its own, so that Ctrl-C there reaches it
    places = [_descriptor(stream) for stream in streams]
    for number, place in enumerate((*places, *places[1:])[:3]):
        os.dup2(place, number)
    for place in places:
        os.close(place)
    # As at the start of Python, and no warning that nobody closes them.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lasts as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    call(*arguments)


def _descriptor(stream):
    return os.open(stream, os.O_RDWR | os.O_CREAT, 0o600) if isinstance(stream, str) else os.dup(stream.fileno())
