# SPDX-License-Identifier: MIT
"""`auth-service dev`: one command, and nothing left of it after Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.collector import COLLECTORS
from tests.support.command import PATIENCE, alive, pasted, run, started

LAST_LINE = "Ctrl-C ends all of it"


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    with started("dev", cwd=tmp_path_factory.mktemp("dev")) as process:
        process.until(LAST_LINE)
        yield process


def test_the_addresses_answer(dev):
    (page,) = re.findall(r"^Documentation +(\S+)/docs$", dev.output, re.MULTILINE)
    with urllib.request.urlopen(f"{page}/docs", timeout=PATIENCE) as reply:
        assert reply.status == 200
    with urllib.request.urlopen(f"{page}/readyz", timeout=PATIENCE) as reply:
        assert reply.read() == b"OK"
    assert page.startswith("http://127.0.0.1:")


def test_the_users_are_shown_with_their_tokens(dev):
    users = {line.split()[0]: line.split()[1:] for line in dev.output.splitlines() if "-token" in line}
    assert users["ada"] == ["ada@example.org", "ada-token", "auth0|ada"]
    assert len(users) >= 5


def test_three_requests_work_as_they_stand(dev):
    lines = pasted(dev.output)
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(line, shell=True, capture_output=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (0, b""), line


def test_aliases_are_given_out_for_linux_com(dev):
    (_, _, _, url, *_), *_ = (shlex.split(line) for line in pasted(dev.output))
    body = '{"user": {"auth_token": "grace-token"}, "alias": "grace", "domain": "linux.com"}'
    done = run("request", "--nats-url", url, "add_alias", body)
    assert done.returncode == 0
    assert b'"grace@linux.com"' in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_end_is_clean_and_leaves_nothing_running(tmp_path, number):
    with started("dev", cwd=tmp_path) as process:
        process.until(LAST_LINE)
        children = process.children()
        assert len(children) == 1
        assert process.end(number) == 0
        assert [pid for pid in children if alive(pid)] == []


def _has_ip_version_6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not _has_ip_version_6(), reason="this machine has no IPv6")
def test_an_address_of_ip_version_6_is_served(tmp_path):
    with started("dev", cwd=tmp_path, BIND="::1") as process:
        process.until(LAST_LINE)
    assert re.search(r"^Documentation +http://\[::1\]:[0-9]+/docs$", process.output, re.MULTILINE)


def test_other_ports_are_taken_where_the_usual_ones_are_taken(tmp_path):
    with contextlib.ExitStack() as stack:
        for port in (4222, 8080):
            with contextlib.suppress(OSError):  # somebody else has it: as good
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        process = stack.enter_context(started("dev", cwd=tmp_path))
        process.until(LAST_LINE)
        assert "127.0.0.1:4222" not in process.output
        assert "127.0.0.1:8080" not in process.output


def test_another_port_is_taken_where_the_usual_one_only_seems_to_be_free(tmp_path):
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started("dev", cwd=tmp_path, BIND="*", PORT=port) as process:
            process.until(LAST_LINE)
            assert f":{port}/" not in process.output


def test_a_file_env_is_read(tmp_path):
    (tmp_path / "users.yaml").write_text("users: [{username: eve, token: eve-token, primary_email: eve@example.org}]")
    (tmp_path / ".env").write_text("MOCK_USERS_FILE=users.yaml\nALLOWED_ALIAS_DOMAINS=example.net\nLOG_FORMAT=json\n")
    with started("dev", cwd=tmp_path) as process:
        process.until(LAST_LINE)
    assert "eve-token" in process.output
    assert "aliases are given out for example.net" in process.output
    assert '"message": "ready"' in process.output
    assert pasted(process.output)[0].endswith("email_to_sub eve@example.org")


def test_what_libraries_read_by_themselves_is_read_there_too(tmp_path):
    with COLLECTORS["http/protobuf"]() as collector:
        (tmp_path / ".env").write_text(
            f"OTEL_TRACES_EXPORTER=otlp\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
            f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.endpoint}\n"
        )
        with started("dev", cwd=tmp_path) as process:
            process.until(LAST_LINE)
            assert subprocess.run(pasted(process.output)[0], shell=True, timeout=PATIENCE, check=False).returncode == 0
        assert [span.name for span in collector.spans] == ["lfx.auth-service.email_to_sub"]


def test_a_bad_value_of_a_library_in_a_file_env_is_named(tmp_path):
    (tmp_path / ".env").write_text("OTEL_TRACES_EXPORTER=otlp\nOTEL_EXPORTER_OTLP_TIMEOUT=bad\n")
    done = run("dev", cwd=tmp_path)
    assert done.returncode == 2
    assert b"OTEL_EXPORTER_OTLP_TIMEOUT" in done.stderr


def test_nats_variables_do_not_lead_to_another_server(tmp_path):
    with started("dev", cwd=tmp_path, NATS_URL="nats://nowhere.invalid:4222", NATS_TOKEN="t0ken") as process:
        process.until(LAST_LINE)
        assert "nowhere.invalid" not in process.output


def test_a_bad_configuration_ends_with_2(tmp_path):
    (tmp_path / ".env").write_text("LOG_LEVEL=loud\n")
    done = run("dev", cwd=tmp_path)
    assert done.returncode == 2
    assert b"LOG_LEVEL" in done.stderr


def test_what_another_provider_would_need_is_not_asked_for(tmp_path):
    with started("dev", cwd=tmp_path, USER_REPOSITORY_TYPE="auth0") as process:
        process.until(LAST_LINE)
        assert "ada-token" in process.output


def test_a_provider_that_it_does_not_know_is_refused(tmp_path):
    done = run("dev", "--provider", "ldap", cwd=tmp_path)
    assert done.returncode == 2
    assert b"ldap" in done.stderr


def test_without_a_nats_server_it_says_what_to_do(tmp_path):
    python = tmp_path / "python"
    python.symlink_to(Path(sys.executable).resolve())
    done = subprocess.run(
        [python, "-m", "app.cli", "dev"],
        capture_output=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
            "PATH": str(tmp_path),
        },
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert b"nats-server is not installed" in done.stderr
    assert b"make install" in done.stderr
