# SPDX-License-Identifier: MIT
"""A name server that says nothing: a look-up that has begun cannot be ended, and the process ends all the same."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.ports import free_port

DEAF = "127.0.0.77"
LOOKS_FOR = 30
"""Seconds that the system waits for an answer: the longest that can be said (resolv.conf(5))."""

GONE_WITHIN = 25.0
"""Seconds from SIGTERM (contract, operations)."""


@pytest.fixture
def nowhere(tmp_path):
    """Return what goes before a command, so that no name is found in it and none is known to be nobody's."""
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {DEAF}\noptions timeout:{LOOKS_FOR} attempts:1\n")
    before = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(file)]
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` here")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        try:
            deaf.bind((DEAF, 53))
        except OSError as error:
            pytest.skip(f"nobody may be a name server here: {error.strerror}")
        if subprocess.run([*before, "true"], capture_output=True, check=False, timeout=60).returncode != 0:
            pytest.skip("no mount namespace is allowed here")
        yield before


def test_sigterm_ends_the_process_in_time_while_the_name_of_nats_is_looked_up(nowhere):
    variables = {
        "PATH": os.environ["PATH"],
        "NATS_URL": "nats://nats.somewhere.example:4222",
        "NATS_TIMEOUT": "500ms",
        "NATS_RECONNECT_WAIT": "100ms",
        "NATS_MAX_RECONNECT": "-1",
        "BIND": "127.0.0.1",
        "PORT": str(free_port()),
    }
    command = [*nowhere, str(Path(sys.executable).with_name("auth-service")), "serve"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as service:
        patience = threading.Timer(120, service.kill)
        patience.start()
        try:
            for line in service.stdout:
                if "NATS error" in line:
                    break
            service.send_signal(signal.SIGTERM)
            assert service.wait(GONE_WITHIN) == 0
        finally:
            patience.cancel()
            service.kill()
