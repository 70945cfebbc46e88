# SPDX-License-Identifier: MIT
"""The command as a process that is killed, or interrupted: nothing is lost, and nothing secret is shown.

`TENANT_KILLS=all` kills it at every write, before and after the tenant has done it; else at some.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.cli.tenant.keys import KeyPair
from app.settings.checks import check_rsa_key
from tests.cli.tenant.ends import end_of
from tests.cli.tenant.forked import PATIENCE, forked
from tests.cli.tenant.test_apply import STEPS
from tests.stand_ins.auth0.resources import ADMIN_CLIENT, ADMIN_SECRET

WRITES = "P* /api/v2/*"
EVERY = [(number, acts) for number in range(len(STEPS)) for acts in (False, True)]
KILLS = EVERY if os.environ.get("TENANT_KILLS") == "all" else [(0, False), (5, True), (11, True)]


@pytest.mark.parametrize(("number", "acts"), KILLS)
def test_killed_at_a_write_the_next_run_comes_to_the_same_end(bare, made, tmp_path, number, acts):
    key = tmp_path / "m2m.pem"
    held = bare.tenant.faults.add("hang", on=WRITES, skip=number, times=1, acts=acts)
    with forked(tmp_path, "tenant", "apply", "--yes", "--generate-key", str(key)) as process:
        process.until(lambda: held.struck)
        assert process.kill() == -signal.SIGKILL
    bare.tenant.faults.clear()
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
    assert bare("apply", yes=True).status == 0
    assert end_of(bare.tenant.resources.snapshot()) == end_of(made[0])


def secrets_of(tenant, *keys):
    """All that may not be shown."""
    clients = [one["client_secret"] for one in tenant.resources.applications.by_id.values() if "client_secret" in one]
    lines = [line for key in keys if key.exists() for line in key.read_text().splitlines()[1:-1]]
    return {os.environ.get("AUTH0_ADMIN_TOKEN", ADMIN_SECRET), ADMIN_SECRET, *clients, *lines}


def assert_nothing_is_told(process, tenant, *keys):
    output = process.output()
    folded = "".join(output.split())
    assert [secret for secret in secrets_of(tenant, *keys) if secret in folded] == []
    assert "Traceback" not in output


def assert_whole_or_absent(key):
    assert [path.name for path in key.parent.iterdir() if path.name.startswith(f".{key.name}")] == []
    if key.exists():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert KeyPair(check_rsa_key(key.read_text())).pem == key.read_text()


MOMENTS = {
    "at the first look": ("connections.list", False, 1),
    "while the key's application is made": ("clients.create", True, 1),
    "in the middle": ("grants.create", False, 1),
    "while it is deployed": ("actions.deploy", True, 2),
}
"""Where it is held up, whether it has a terminal, and how often Ctrl-C comes."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_apply_that_is_interrupted_says_so_and_shows_no_secret(bare, tmp_path, moment):
    operation, terminal, times = MOMENTS[moment]
    key = tmp_path / "m2m.pem"
    held = bare.tenant.faults.add("hang", on=operation, times=1, acts=True)
    arguments = ("tenant", "apply", "--yes", "--generate-key", str(key))
    with forked(tmp_path, *arguments, terminal=terminal) as process:
        process.until(lambda: held.struck)
        for _ in range(times):
            process.interrupt()
        assert process.ended() == 130
        assert "Interrupted." in process.output()
        assert_nothing_is_told(process, bare.tenant, key)
    assert_whole_or_absent(key)
    assert key.exists() is (operation != "connections.list")


def test_ctrl_c_at_the_question_is_an_answer(bare, tmp_path):
    key = tmp_path / "m2m.pem"
    with forked(tmp_path, "tenant", "apply", "--generate-key", str(key), terminal=True) as process:
        process.until(lambda: "Do that?" in process.output())
        process.interrupt()
        assert process.ended() == 130
        assert_nothing_is_told(process, bare.tenant)
    assert not key.exists()


@pytest.mark.parametrize(
    ("arguments", "operation", "terminal"),
    [
        (("check",), "clients.list", True),
        (("check",), "token.client_credentials", False),
        (("env", "--show-secrets"), "clients.get", True),
    ],
    ids=["check on a terminal", "check before it has a token", "env"],
)
def test_what_only_looks_can_be_interrupted_too(command, tmp_path, arguments, operation, terminal):
    if operation.startswith("token"):
        command.unset("AUTH0_ADMIN_TOKEN")
        command.set("AUTH0_ADMIN_CLIENT_ID", ADMIN_CLIENT)
        command.set("AUTH0_ADMIN_CLIENT_SECRET", ADMIN_SECRET)
    held = command.tenant.faults.add("hang", on=operation, skip=int(arguments[0] == "env"), times=1, acts=True)
    with forked(tmp_path, "tenant", *arguments, terminal=terminal) as process:
        process.until(lambda: held.struck)
        process.interrupt()
        assert process.ended() == 130
        key = tmp_path / "key"
        key.write_text(os.environ["AUTH0_M2M_PRIVATE_BASE64_KEY"])
        assert_nothing_is_told(process, command.tenant, key)


@pytest.mark.parametrize("seconds", [0.05, 1.0])
def test_while_it_loads_it_ends_without_a_word(command, seconds):
    command.tenant.faults.add("hang")
    program = "from app.entry import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "tenant", "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with process:
        _wait(lambda: _handles(process.pid, signal.SIGTERM))
        begun = _used(process.pid)
        # On a machine that loads it faster it has begun to look, and waits for the tenant.
        _wait(lambda: _used(process.pid) >= begun + seconds or command.tenant.records.in_flight)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=PATIENCE)[0].decode()
    assert (process.returncode, "Traceback" in output) == (130, False)


def _wait(holds):
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)


def _handles(pid, number):
    """Whether a process has a handler for a signal, which the command's first module sets (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)


def _used(pid):
    """Seconds of CPU that a process has had (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_key_is_written_once_and_leaves_nothing_where_it_cannot(tmp_path):
    key, path = KeyPair.generated(), tmp_path / "m2m.pem"
    key.write(path)
    with pytest.raises(FileExistsError):
        key.write(path)
    with pytest.raises(FileNotFoundError):
        key.write(tmp_path / "nowhere" / "m2m.pem")
    assert [one.name for one in tmp_path.iterdir()] == ["m2m.pem"]
    assert_whole_or_absent(path)
