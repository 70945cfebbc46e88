# SPDX-License-Identifier: MIT
"""The end of child processes, whatever they do about it."""

from __future__ import annotations

import signal
import subprocess

import pytest

from app.cli.dev.children import end

_DEAF = "trap '' TERM; echo ready; while :; do read -r _ || :; done"
"""Ends by nothing but SIGKILL while its input is there."""


@pytest.mark.parametrize(("script", "ended"), [("echo ready; read -r _", signal.SIGTERM), (_DEAF, signal.SIGKILL)])
def test_a_child_ends_also_when_it_does_not_by_itself(script, ended):
    with subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        end(child, 5 if ended is signal.SIGTERM else 0.1)
        assert child.returncode == -ended
