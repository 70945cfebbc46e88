# SPDX-License-Identifier: MIT
"""The end of child processes, whatever they do about it."""

from __future__ import annotations

import _thread
import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.cli.dev.children import end
from tests.support.command import alive
from tests.support.ports import nats_server

_DEAF = "trap '' TERM; echo ready; while :; do read -r _ || :; done"
"""Ends by nothing but SIGKILL while its input is there."""


@pytest.mark.parametrize(("script", "ended"), [("echo ready; read -r _", signal.SIGTERM), (_DEAF, signal.SIGKILL)])
def test_a_child_ends_also_when_it_does_not_by_itself(script, ended):
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        end(child, 5 if ended is signal.SIGTERM else 0.1)
        assert child.returncode == -ended


def test_a_server_that_was_still_starting_ends_with_what_started_it(tmp_path, monkeypatch):
    noted, server = tmp_path / "pid", tmp_path / "nats-server"
    server.write_text(f"#!/bin/sh\necho $$ > {noted}.new\nmv {noted}.new {noted}\nexec sleep 60\n")
    server.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    interruption = threading.Thread(target=_interrupt_once_there, args=(noted,), daemon=True)
    interruption.start()
    with contextlib.suppress(KeyboardInterrupt), nats_server():
        raise AssertionError("it never says that it is ready")
    interruption.join()
    assert not alive(int(noted.read_text()))


def test_a_server_is_ended_too_when_ctrl_c_comes_in_the_moment_in_which_it_begins(monkeypatch):
    begun = []

    class Popen(subprocess.Popen):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            begun.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    with pytest.raises(KeyboardInterrupt), nats_server():
        raise AssertionError("nobody pressed Ctrl-C")
    (server,) = begun
    ended = server.returncode is not None
    end(server)
    assert ended


def _interrupt_once_there(file: Path) -> None:
    """Do what Ctrl-C does."""
    while not file.exists():
        time.sleep(0.01)
    _thread.interrupt_main()
