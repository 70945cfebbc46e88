# SPDX-License-Identifier: MIT
"""`auth-service request --as NAME`, and what `auth-service dev` prints: both fit for people, and nobody else's."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import stat
from pathlib import Path

import pytest

from app.cli import dev_tokens
from app.cli.as_user import NoPlace, as_user, with_tokens
from app.cli.terminal import command, table
from routers import subjects
from tests.support.command import pasted, run, started

ROOT = Path(__file__).parents[2]
LAST_LINE = "Ctrl-C ends all of it"
BY_NAME = {subject.name: subject for subject in subjects()}


@pytest.fixture(scope="module", params=["mock", "auth0", "authelia"])
def dev(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    # From the checkout, as `make run` does it: from elsewhere the requests begin with a path of any length.
    with started("dev", "--provider", request.param, cwd=ROOT, XDG_RUNTIME_DIR=str(folder)) as process:
        process.until(LAST_LINE)
        yield process, {"XDG_RUNTIME_DIR": str(folder), "NATS_URL": shlex.split(pasted(process.output)[0])[3]}


def test_all_that_is_printed_fits_a_screen_of_80_by_50(dev):
    process, _ = dev
    lines = process.output.splitlines()
    # What is logged after it is another matter.
    lines = lines[: next(n for n, line in enumerate(lines) if LAST_LINE in line) + 1]
    greeting = lines[next(n for n, line in enumerate(lines) if line.startswith("NATS ")) :]
    assert [line for line in greeting if len(line) > 80] == []
    # With the log before it, whose lines a terminal breaks; a busy machine adds warnings (the event loop stands).
    told = [line for line in lines if " warn " not in line or "USER_REPOSITORY_TYPE" in line]
    assert sum(max(1, math.ceil(len(line) / 80)) for line in told) <= 50, told


def test_a_users_token_goes_where_the_request_has_its_caller(dev):
    _, where = dev
    done = run("request", "user_metadata.update", '{"user_metadata": {"city": "Oslo"}}', "--as", "ada", **where)
    assert (done.returncode, json.loads(done.stdout)["data"]["city"]) == (0, "Oslo")
    done = run("request", "user_emails.read", "--as", "ada", **where)
    assert json.loads(done.stdout)["data"]["primary_email"] == "ada@example.org"


def test_a_users_name_in_the_body_stands_for_the_token(dev):
    _, where = dev
    done = run("request", "user_metadata.update", '{"token": "@ada", "user_metadata": {"city": "Rome"}}', **where)
    assert (done.returncode, json.loads(done.stdout)["data"]["city"]) == (0, "Rome")
    done = run("request", "user_metadata.read", "@ada", **where)
    assert (done.returncode, json.loads(done.stdout)["data"]["city"]) == (0, "Rome")


def test_who_is_unknown_has_no_token(dev):
    _, where = dev
    done = run("request", "user_emails.read", "--as", "nobody", **where)
    assert done.returncode == 2
    assert b"'nobody' has no token there" in done.stderr
    assert b"eyJ" not in done.stderr
    done = run("request", "user_metadata.read", "@nobody", **where)
    assert done.returncode == 1
    assert b"user not found" in done.stdout


def test_the_tokens_lie_where_nobody_else_can_read_them(dev):
    _, where = dev
    (folder,) = Path(where["XDG_RUNTIME_DIR"]).glob("auth-service-dev-*")
    (file,) = folder.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, file)] == [0o700, 0o600]


def test_without_a_dev_there_are_no_tokens(tmp_path, nats):
    done = run("request", "user_emails.read", "--as", "ada", XDG_RUNTIME_DIR=str(tmp_path), NATS_URL=nats.url)
    assert done.returncode == 2
    assert b"no `auth-service dev` of yours runs on that NATS" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_tokens_end_with_the_dev(tmp_path, number):
    where = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with started("dev", cwd=tmp_path, **where) as process:
        process.until(LAST_LINE)
        url = shlex.split(pasted(process.output)[0])[3]
        children = process.children()
        process.end(number)
    if number == signal.SIGKILL:  # its nats-server has a session of its own, and lives on
        for pid in children:
            os.kill(pid, signal.SIGTERM)
    if number == signal.SIGINT:
        assert list(tmp_path.iterdir()) == []
    done = run("request", "--nats-url", url, "user_emails.read", "--as", "ada", **where)
    assert (done.returncode, b"no `auth-service dev`" in done.stderr) == (2, True)


class TestTheFile:
    URL = "nats://127.0.0.1:4321"

    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    @pytest.mark.parametrize(
        ("servers", "found"),
        [
            (("nats://localhost:4321",), True),
            (("127.0.0.1:4321",), True),
            (("nats://u:p@[::1]:4321",), True),
            (("nats://elsewhere:1", "tls://localhost:4321"), True),
            (("nats://localhost:4222",), False),
            (("localhost",), False),
            (("nats://nats.example:4321",), False),
            (("nats://localhost:many", "../../etc:1"), False),
        ],
    )
    def test_it_belongs_to_a_server_on_this_machine(self, servers, found):
        with dev_tokens.offered(self.URL, {"ada": "token"}):
            assert dev_tokens.known(servers) == ({"ada": "token"} if found else None)
        assert dev_tokens.known(servers) is None

    def test_a_folder_that_others_can_read_is_neither_used_nor_believed(self, tmp_path):
        folder = tmp_path / f"auth-service-dev-{os.getuid()}"
        folder.mkdir()
        folder.chmod(0o755)
        with pytest.raises(OSError, match="can be read by others"), dev_tokens.offered(self.URL, {}):
            pass
        (folder / "4321.json").write_text(json.dumps({"pid": os.getpid(), "tokens": {"ada": "planted"}}))
        assert dev_tokens.known((self.URL,)) is None

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "tokens": {}}', '{"pid": 1}'])
    def test_a_file_that_is_none_is_as_if_it_were_absent(self, tmp_path, content):
        folder = tmp_path / f"auth-service-dev-{os.getuid()}"
        folder.mkdir(mode=0o700)
        file = folder / "4321.json"
        file.write_text(content)
        file.chmod(0o600)
        assert dev_tokens.known((self.URL,)) is None


class TestTheBody:
    @pytest.mark.parametrize(
        ("subject", "body", "sent"),
        [
            ("user_metadata.read", "", "TOKEN"),
            ("user_emails.read", "", '{"user": {"auth_token": "TOKEN"}}'),
            ("user_emails.set_primary", '{"email": "é@x"}', '{"email": "é@x", "user": {"auth_token": "TOKEN"}}'),
            ("user_identity.list", '{"user": {}}', '{"user": {"auth_token": "TOKEN"}}'),
            ("user_identity.list", '{"user": {"auth_token": ""}}', '{"user": {"auth_token": "TOKEN"}}'),
            ("password.reset_link", "", '{"token": "TOKEN"}'),
            ("impersonation.token_exchange", '{"target_user": "b"}', '{"target_user": "b", "subject_token": "TOKEN"}'),
        ],
    )
    def test_the_token_is_put_in_its_place(self, subject, body, sent):
        assert as_user(BY_NAME[subject], body.encode(), "TOKEN").decode() == sent

    @pytest.mark.parametrize(
        ("subject", "body", "message"),
        [
            ("email_to_sub", "ada@example.org", "takes no token"),
            ("email_linking.verify", "{}", "takes no token"),
            ("user_metadata.read", "ada", "leave it out"),
            ("user_metadata.update", "[1]", "must be a JSON object"),
            ("user_metadata.update", "{", "must be a JSON object"),
            ("user_metadata.update", '{"token": "other"}', "in the body already, in token"),
            ("user_emails.read", '{"user": "ada"}', "user must be a JSON object"),
        ],
    )
    def test_what_has_no_place_for_it_is_said(self, subject, body, message):
        with pytest.raises(NoPlace, match=message):
            as_user(BY_NAME[subject], body.encode(), "TOKEN")

    def test_every_subject_that_takes_a_token_has_a_place_for_it(self):
        for subject in BY_NAME.values():
            try:
                assert b"TOKEN" in as_user(subject, b"", "TOKEN")
            except NoPlace as error:
                assert str(error) == f"{subject.name} takes no token"  # noqa: PT017 - one or the other

    @pytest.mark.parametrize(
        ("body", "sent"),
        [
            ("@ada", "TOKEN"),
            ("  @ada\n", "TOKEN"),
            ("@eve", "@eve"),
            ("ada@example.org", "ada@example.org"),
            ('{"a": ["@ada", {"b": "@ada"}], "@ada": 1, "n": 1e400}', None),
            ('{"a":  "x@ada", "b": 1.0}', '{"a":  "x@ada", "b": 1.0}'),
            ("{", "{"),
            ("[" * 100_000, "[" * 100_000),
            ("\xff", "\xff"),
        ],
    )
    def test_only_a_known_name_behind_an_at_sign_is_replaced(self, body, sent):
        result = with_tokens(body.encode("latin-1"), {"ada": "TOKEN"}).decode("latin-1")
        if sent is None:
            assert result.startswith('{"a": ["TOKEN", {"b": "TOKEN"}], "@ada": 1')
        else:
            assert result == sent


def test_a_command_is_broken_between_words_and_can_be_pasted():
    words = ["auth-service", "request", "--nats-url", "nats://127.0.0.1:4222", "x.y", '{"a": "it\'s"}', "--as", "ada"]
    shown = command(words, width=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert shlex.split(shown.replace("\\\n", " ")) == words


def test_a_table_is_cut_where_it_is_widest():
    assert table([("a", "b" * 50), ("c" * 9, "d")], width=30) == f"  a           {'b' * 15}…\n  ccccccccc   d"
