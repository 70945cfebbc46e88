# SPDX-License-Identifier: MIT
"""The command `auth-service`: what it prints, and with which status it ends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from app.cli.request import readable
from app.cli.terminal import table
from tests.support.command import run, started
from tests.support.ports import free_port, nats_server
from tests.support.raw_client import connect
from tests.system.processes import Process

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def served():
    """A NATS server with the service on it."""
    with nats_server() as server, started("serve", NATS_URL=server.url, PORT="0", BIND="127.0.0.1") as process:
        process.until('"ready"')
        yield server.url


@pytest.fixture
def closed():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"nats://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def taken():
    """A port at which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


class TestRequest:
    def test_a_success_is_printed_bare_and_ends_with_0(self, served):
        done = run("request", "--nats-url", served, "email_to_sub", "ada@example.org")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"auth0|ada\n", b"")

    def test_it_waits_longer_than_the_service_takes(self):
        assert "[default: 12s]" in run("request", "--help").stdout.decode()

    def test_json_is_printed_indented_and_readable(self, served):
        done = run("request", "--nats-url", served, "user_metadata.read", "łukasz")
        assert done.returncode == 0
        assert '\n    "name": "Łukasz Żółć",\n'.encode() in done.stdout

    def test_an_error_reply_is_printed_and_ends_with_1(self, served):
        done = run("request", "--nats-url", served, "email_to_sub", "nobody@example.org")
        assert (done.returncode, done.stdout) == (1, b'{\n  "success": false,\n  "error": "user not found"\n}\n')

    def test_without_a_body_an_empty_one_is_sent(self, served):
        done = run("request", "--nats-url", served, "email_to_sub")
        assert done.returncode == 1
        assert b'"email is required"' in done.stdout

    def test_the_whole_subject_will_do(self, served):
        done = run("request", "--nats-url", served, "lfx.auth-service.username_to_sub", "ada")
        assert (done.returncode, done.stdout) == (0, b"auth0|ada\n")

    def test_the_body_may_come_from_standard_input(self, served):
        done = run("request", "username_to_sub", "-", stdin="łukasz\n".encode(), NATS_URL=served)
        assert done.stdout.startswith(b"auth0|3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJ")

    def test_an_unknown_subject_is_refused_with_2_and_the_nearest_ones(self, served):
        done = run("request", "--nats-url", served, "emial_to_sub", "x")
        assert done.returncode == 2
        assert b"did you mean email_to_sub" in done.stderr

    @pytest.mark.parametrize("seconds", ["soon", "0", "-1s", "inf", "nan"])
    def test_a_bad_time_out_is_refused_with_2(self, seconds):
        done = run("request", "--timeout", seconds, "username_to_sub", "x")
        assert done.returncode == 2
        assert b"--timeout" in done.stderr

    def test_nobody_answers_ends_with_2(self, nats):
        done = run("request", "--nats-url", nats.url, "email_to_sub", "ada@example.org")
        assert done.returncode == 2
        assert b"nobody answers lfx.auth-service.email_to_sub" in done.stderr

    def test_no_nats_ends_with_2_and_shows_no_password(self, closed):
        done = run("request", "--nats-url", closed.replace("//", "//bob:s3cret@"), "email_to_sub", "x")
        assert done.returncode == 2
        assert done.stderr.decode() == f"NATS at {closed}: Connection refused\n"

    async def test_no_reply_in_time_ends_with_2(self, nats):
        async def keep(_):
            pass

        async with await connect(nats.url) as client:
            await client.subscribe("lfx.auth-service.email_to_sub", cb=keep)
            await client.flush()
            done = run("request", "--nats-url", nats.url, "--timeout", "200ms", "email_to_sub", "x")
        assert done.returncode == 2
        assert done.stderr == b"no reply from lfx.auth-service.email_to_sub within 0.2 s\n"

    def test_a_body_that_nats_refuses_ends_with_2(self, served):
        done = run("request", "--nats-url", served, "email_to_sub", "-", stdin=b"x" * 2_000_000)
        assert done.returncode == 2
        assert b"maximum payload exceeded" in done.stderr

    def test_the_variables_for_authentication_count(self):
        with nats_server(0, "--user", "bob", "--pass", "s3cret") as server:
            for _ in range(10):
                refused = run("request", "--nats-url", server.url, "username_to_sub", "ada")
                # NATS closes at once, and what it says before can be lost with the connection (RFC 1122, 4.2.2.13).
                if b"reset by peer" not in refused.stderr:
                    break
            let_in = run(
                "request", "--nats-url", server.url, "username_to_sub", "ada", NATS_USER="bob", NATS_PASSWORD="s3cret"
            )
        assert (refused.returncode, let_in.returncode) == (2, 2)
        assert b"authorization" in refused.stderr.lower()
        assert b"nobody answers" in let_in.stderr

    def test_a_bad_configuration_ends_with_2(self):
        done = run("request", "username_to_sub", "ada", NATS_MAX_RECONNECT="often")
        assert done.returncode == 2
        assert b"NATS_MAX_RECONNECT" in done.stderr

    def test_variables_of_the_service_alone_do_not_count(self, served):
        service = {"USER_REPOSITORY_TYPE": "auth0", "PORT": "p0rt", "LOG_LEVEL": "l0ud"}
        done = run("request", "--nats-url", served, "username_to_sub", "ada", **service)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"auth0|ada\n", b"")

    def test_subjects_are_completed(self):
        done = run(_AUTH_SERVICE_COMPLETE="complete_bash", COMP_WORDS="auth-service request user_e", COMP_CWORD="2")
        assert done.stdout.split() == [b"user_emails.read", b"user_emails.set_primary"]

    def test_control_characters_in_a_reply_do_not_reach_the_terminal(self):
        assert readable(b"a\x1b[31mb") == ("a\\x1b[31mb", True)

    @pytest.mark.parametrize("reply", [b"12345", b'"x"', b"[1]"])
    def test_what_is_no_json_object_is_shown_as_it_is(self, reply):
        assert readable(reply) == (reply.decode(), True)

    @pytest.mark.parametrize("reply", [b"{", b'{"a":' * 100_000, b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", b"{}"])
    def test_what_begins_like_an_object_and_says_no_success_is_none(self, reply):
        assert readable(reply)[1] is False


class TestServe:
    def test_every_bad_variable_is_named_in_one_message_without_a_value(self):
        bad = {"PORT": "p0rt", "LOG_LEVEL": "l0ud", "NATS_TIMEOUT": "s00n"}
        file = {"NATS_TLS_CA": "/n0where/ca.pem"}
        done = run("serve", NATS_PASSWORD="s3cret", NATS_TOKEN="t0ken", **bad, **file)
        assert (done.returncode, done.stdout) == (2, b"")
        message = done.stderr.decode()
        assert [name for name in bad if name not in message] == []
        assert "  NATS_TLS_CA: /n0where/ca.pem: cannot be read: No such file or directory\n" in message
        assert [value for value in (*bad.values(), "s3cret", "t0ken") if value in message] == []

    def test_a_bad_users_file_ends_with_2(self, tmp_path):
        file = tmp_path / "users.yaml"
        file.write_text("users: [{token: x}]")
        done = run("serve", MOCK_USERS_FILE=str(file), PORT="0")
        assert done.returncode == 2
        assert b"MOCK_USERS_FILE" in done.stderr
        assert b"entry 1: username" in done.stderr

    def test_an_http_address_in_use_ends_with_1(self, nats, taken):
        done = run("serve", NATS_URL=nats.url, PORT=taken, BIND="127.0.0.1")
        assert done.returncode == 1
        assert f"BIND, PORT: 127.0.0.1, port {taken}" in done.stderr.decode()
        assert b"Traceback" not in done.stderr

    @pytest.mark.parametrize("attempts", ["0", "1"])
    def test_nats_out_of_reach_ends_with_1(self, closed, attempts):
        done = run("serve", NATS_URL=closed, NATS_MAX_RECONNECT=attempts, NATS_RECONNECT_WAIT="10ms", PORT="0")
        assert done.returncode == 1
        assert b'"NATS cannot be reached"' in done.stdout

    def test_a_file_env_is_not_read(self, nats, tmp_path):
        (tmp_path / ".env").write_text("PORT=nonsense\n")
        with started("serve", cwd=tmp_path, NATS_URL=nats.url, PORT="0") as process:
            process.until('"ready"')
            assert process.end() == 0


class TestCheck:
    def test_what_works_is_shown_in_a_table(self, nats):
        done = run("check", NATS_URL=nats.url)
        assert done.returncode == 0
        assert [line.split()[:2] for line in done.stdout.decode().splitlines()] == [
            ["configuration", "ok"],
            ["NATS", "ok"],
            ["provider", "ok"],
        ]

    def test_nats_out_of_reach_is_shown_and_ends_with_1(self, closed):
        done = run("check", NATS_URL=closed)
        assert done.returncode == 1
        assert b"FAILED   NATS at " in done.stdout
        assert b"provider        ok" in done.stdout

    @pytest.mark.parametrize("variable", ["PORT", "MOCK_USERS_FILE"])
    def test_a_bad_configuration_ends_with_2(self, nats, variable):
        done = run("check", NATS_URL=nats.url, **{variable: "/nonsense"})
        assert done.returncode == 2
        assert variable.encode() in done.stderr


class TestAsyncapi:
    def test_both_formats_hold_the_document(self):
        assert run("asyncapi").stdout.count(b"lfx.auth-service.email_to_sub\n") >= 1
        assert run("asyncapi", "--format", "json").stdout.startswith(b"{")

    @pytest.mark.parametrize("suffix", ["yaml", "json"])
    def test_a_fresh_file_ends_with_0_and_a_stale_one_with_1(self, tmp_path, suffix):
        file = tmp_path / f"document.{suffix}"
        file.write_bytes(run("asyncapi", "--format", suffix).stdout)
        assert run("asyncapi", "--check", str(file)).returncode == 0
        file.write_text(file.read_text().replace("email_to_sub", "mail_to_sub"))
        stale = run("asyncapi", "--check", str(file))
        assert stale.returncode == 1
        assert b"is not up to date" in stale.stderr

    def test_a_file_that_is_no_text_is_no_fresh_one(self, tmp_path):
        file = tmp_path / "document.yaml"
        file.write_bytes(b"\xff")
        done = run("asyncapi", "--check", str(file))
        assert done.returncode == 1
        assert b"is not up to date" in done.stderr

    def test_a_missing_file_ends_with_1(self, tmp_path):
        assert run("asyncapi", "--check", str(tmp_path / "nothing.yaml")).returncode == 1


def test_the_version_is_printed():
    assert run("--version").stdout.decode() == f"auth-service {VERSION}\n"


def by_shell(redirected, *arguments, **environment):
    """Run the command as it is installed, with streams that the shell has redirected or closed."""
    command = (str(Path(sys.executable).with_name("auth-service")), *arguments)
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {redirected}', "bash", *command],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_service_with_a_closed_stream_ends_as_any_other(closed, streams):
    done = by_shell(streams, "serve", NATS_URL=closed, NATS_MAX_RECONNECT="0", PORT="0", BIND="127.0.0.1")
    assert (done.returncode, done.stderr) == (1, b"")
    assert (b'"stopped"' in done.stdout) is (">&-" not in streams.split())


def test_a_log_that_cannot_be_written_changes_no_exit_status(nats):
    port = free_port()
    given = {**os.environ, "NATS_URL": nats.url, "PORT": str(port), "BIND": "127.0.0.1"}
    given.pop("PYTHONUNBUFFERED", None)  # nothing would be left in the buffer
    command = (Path(sys.executable).with_name("auth-service"), "serve")
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(command, env=given, stdout=full, stderr=subprocess.PIPE) as process,
    ):
        service = Process(process, port, Path(os.devnull))
        service.until_ready()
        assert (service.end(), process.stderr.read()) == (0, b"")


def test_a_log_that_nobody_reads_holds_nothing_up(nats):
    port = free_port()
    given = {**os.environ, "NATS_URL": nats.url, "PORT": str(port), "BIND": "127.0.0.1"}
    command = (Path(sys.executable).with_name("auth-service"), "serve")
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE) as process:
        try:
            service = Process(process, port, Path(os.devnull))
            service.until_ready()
            replies = asyncio.run(_refused(nats.url, 10_000))
            assert replies == {b'{"success":false,"error":"user not found"}': 10_000}
            assert service.get("/livez")[0] == 200
            assert "auth_service_log_records_lost_total 0.0" not in service.get("/metrics")[1]
            assert service.end() == 0
        finally:
            process.kill()
        # What the pipe held, whole but for its end.
        *lines, _ = process.stdout.read().splitlines()
        assert {json.loads(line)["message"] for line in lines} >= {"ready", "request refused"}


async def _refused(url: str, count: int) -> Counter[bytes]:
    async with await connect(url) as connection:
        asked = (connection.request("lfx.auth-service.email_to_sub", b"nobody@example.org") for _ in range(count))
        return Counter(reply.data for reply in await asyncio.gather(*asked))


def test_a_body_from_a_closed_stream_is_refused_with_2():
    done = by_shell("<&-", "request", "email_to_sub", "-")
    assert (done.returncode, done.stderr) == (2, b"standard input: it is closed\n")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["serve", "--help"], ["tenant"], ["asyncapi", "--check", str(ROOT / "asyncapi.yaml")]],
)
def test_output_that_cannot_be_written_ends_with_2(arguments):
    done = by_shell(">/dev/full", *arguments)
    assert (done.returncode, done.stderr) == (2, b"standard output: No space left on device\n")


def test_without_a_command_the_help_is_shown_with_every_command():
    shown = (run().stdout + run().stderr).decode()
    assert [name for name in ("serve", "dev", "request", "asyncapi", "check") if f" {name} " not in shown] == []


def test_a_table_has_aligned_columns():
    assert table([("a", "bb", "c"), ("aaa", "", "c")]) == "  a     bb   c\n  aaa        c"
