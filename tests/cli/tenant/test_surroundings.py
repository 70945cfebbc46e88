# SPDX-License-Identifier: MIT
"""Odd terminals, odd input, odd names: no traceback, nothing rules the terminal, and nothing is done by half."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len

from app.cli.tenant import admin_api
from app.cli.tenant.findings import missing, well
from app.cli.tenant.show import Screen
from tests.cli.tenant.conftest import API
from tests.cli.tenant.test_deviations import ACTION, PROFILE, SERVICE, action, client, drop_exchange, set_api
from tests.stand_ins.auth0.resources import ADMIN_CLIENT, ADMIN_SECRET, MANAGEMENT_SCOPES

NAMES = {
    "markup": "LFX [/red] API",
    "escapes": "LFX \x1b[2J\x9b31m\u202e API",
    "lines": "LFX\ndone  deploy the Action\r\n\t",
    "half a character": "LFX \ud800",
    "long": "L" * 200_000,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_from_the_tenant_is_text_in_one_line(command, name):
    set_api("lfx-api", command.tenant.resources, signing_alg="HS256", name=name)
    done = command("apply", yes=True, adopt=True)
    assert done.status == 0
    assert set(re.findall(r"[^\n -~→…]", done.out + done.err)) == set()
    assert "\ndone  deploy" not in done.out
    assert len(done.out) < 30_000


@pytest.mark.parametrize("form", ["env", "secret", "values"])
def test_no_variable_rules_the_terminal(command, form):
    client(command.tenant.resources, PROFILE)["client_secret"] = "secret\x1b[2Jof-the-profile"
    done = command("env", form=form, show=True)
    assert (done.status, done.out) == (2, "")
    assert "AUTH0_LFX_PROFILE_CLIENT_SECRET" in done.err
    assert "of-the-profile" not in done.err


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_narrow_terminal_is_not_overrun(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    screen = Screen()
    screen.say("wide " * 40)
    screen.table([well("profile application", "wide " * 40)])
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert max(map(cell_len, shown)) <= 40


def test_an_output_that_has_not_all_characters_gets_others_instead(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    Screen().table([missing("API", "it is called \u65e5\u672c")])
    assert b"\\u65e5\\u672c" in written.getvalue()


@pytest.mark.parametrize("name", ["check", "env"])
def test_an_output_that_is_full_is_told(command, monkeypatch, name):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = command(name)
    assert (done.status, done.err) == (1, "The output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("domain", ["https://a/", "a..b", "a" * 64, "b\u00fccher.example", "a:\u0663", "-a", "a/b"])
def test_what_is_no_host_name_is_told(command, domain):
    done = command("check", domain=domain)
    assert (done.status, done.err.startswith("which tenant?")) == (2, True)


@contextmanager
def _closed(_):
    stream = io.StringIO()
    stream.close()
    yield stream


@contextmanager
def _none(_):
    yield None


@contextmanager
def _no_text(folder):
    (folder / "input").write_bytes(b"\xff\xfe\n")
    with (folder / "input").open(encoding="utf-8") as stream:
        yield stream


@contextmanager
def _empty(_):
    with Path(os.devnull).open(encoding="ascii") as stream:
        yield stream


INPUTS = {"none": _none, "closed": _closed, "no text": _no_text, "empty": _empty}


@pytest.mark.parametrize("kind", INPUTS)
def test_an_input_that_cannot_be_read_has_no_token_and_no_answer(bare, made, tmp_path, monkeypatch, kind):
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    with INPUTS[kind](tmp_path) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        asked = bare("check", token=True)
        assert (asked.status, "no token came on standard input" in " ".join(asked.err.split())) == (2, True)
        done = bare("apply")
    assert (done.status, "Use --yes to run without the question" in done.err) == (1, True)
    assert bare.tenant.records.count("*.create") == 0


@pytest.mark.parametrize(("kind", "status"), [("a name that is too long", 1), ("a link to nowhere", 2)])
def test_a_key_file_that_cannot_be_made_changes_nothing(bare, tmp_path, kind, status):
    key = tmp_path / ("k" * 300 if "long" in kind else "link")
    if "link" in kind:
        key.symlink_to(tmp_path / "nowhere")
    done = bare("apply", yes=True, new_key=key)
    assert (done.status, bare.tenant.records.count("*.create")) == (status, 0)
    assert [one.name for one in tmp_path.iterdir() if not one.is_symlink()] == []


def test_an_answer_that_does_not_end_is_given_up(command, monkeypatch):
    monkeypatch.setattr(admin_api, "_LONGEST_CALL", 2.0)
    command.tenant.faults.add("hang_body", on="connections.list")
    done = command.check()
    assert done.status == 2
    assert re.search(r"list connections: .* takes too long", " ".join(done.err.split()))


def test_a_tenant_that_limits_for_ever_and_tells_no_pause_is_asked_ever_less(command, monkeypatch):
    monkeypatch.setattr(admin_api, "_PATIENCE", 2.0)
    fault = command.tenant.faults.too_many("apis.get", skip=1, retry_after="0")
    assert command.check().row("impersonation")["state"] == "cannot tell"
    assert fault.struck < 15


def test_a_gateways_page_is_no_reason_not_to_wait_for_a_token(command):
    command.unset("AUTH0_ADMIN_TOKEN")
    command.set("AUTH0_ADMIN_CLIENT_ID", ADMIN_CLIENT)
    command.set("AUTH0_ADMIN_CLIENT_SECRET", ADMIN_SECRET)
    operation = "token.client_credentials"
    command.tenant.faults.html(429, operation, headers={"Retry-After": "0"}, times=1)
    command.tenant.faults.html(503, operation, times=1)
    done = command.check()
    assert (done.status, done.err.count("the tenant limits calls")) == (0, 1)


def test_a_key_that_has_expired_is_told(command):
    (credential,) = command.tenant.resources.applications.credentials[
        client(command.tenant.resources, SERVICE)["client_id"]
    ].values()
    credential["expires_at"] = "2020-01-01T00:00:00.000Z"
    row = command.check().row("its key")
    assert (row["state"], row["differences"][0]["what"]) == ("differs", "expiry")
    credential["expires_at"] = "2999-01-01T00:00:00.000Z"
    assert command.check().status == 0


def test_without_impersonation_no_scope_is_asked_for_that_only_impersonation_needs(command):
    command.unset("AUTH0_LFX_V2_API_AUDIENCE")
    resources = ("clients", "client_keys", "client_credentials", "client_grants", "connections", "resource_servers")
    held = [scope for scope in MANAGEMENT_SCOPES if scope.partition(":")[2] in resources]
    command.set("AUTH0_ADMIN_TOKEN", command.tenant.admin_token(held))
    assert command.check().status == 0
    command.set("AUTH0_LFX_V2_API_AUDIENCE", API)
    assert "read:actions" in command.check().row("Management API")["remedy"]


def test_what_an_api_says_of_applications_is_sent_along(command):
    about = {"user": {"policy": "deny_all"}, "client": {"policy": "deny_all"}}
    set_api("/api/v2/", command.tenant.resources, subject_type_authorization=about)
    command.tenant.records.clear()
    command("apply", yes=True, adopt=True)
    (sent,) = (one.fields() for one in command.tenant.records.exchanges if one.operation == "apis.update")
    wanted = {"user": {"policy": "require_client_grant"}, "client": {"policy": "deny_all"}}
    assert sent == {"subject_type_authorization": wanted}


@pytest.mark.parametrize("operation", ["clients.create", "actions.create"])
def test_what_was_made_and_has_no_id_is_used_no_further(bare, made, operation):
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    bare.tenant.faults.json({"name": "x"}, operation, status=201)
    done = bare("apply", yes=True)
    assert (done.status, "the tenant's answer cannot be read" in " ".join(done.err.split())) == (1, True)
    assert bare.tenant.records.count(operation) == 1
    assert bare.tenant.records.count("actions.deploy") == 0


def test_an_action_in_a_state_that_nobody_knows_is_no_traceback(command):
    found = action(command.tenant.resources)
    found["all_changes_deployed"] = False
    answer = {"id": found["id"], "status": ["built"]}
    command.tenant.faults.json(answer, "actions.get", skip=1, times=1)
    assert "deploy" in command("apply", yes=True).done[0]


def test_somebodys_action_of_the_same_name_is_not_taken_for_the_services(command):
    found = command.tenant.resources
    drop_exchange(found)
    mine = action(found)
    found.actions.by_id.clear()
    somebodys = found.actions.add(ACTION, "custom-token-exchange", code="exports.everybody = true;")
    found.actions.by_id[mine["id"]] = mine
    assert command("apply", yes=True).status == 0
    assert [one["action_id"] for one in found.exchanges.by_id.values()] == [mine["id"]]
    drop_exchange(found)
    del found.actions.by_id[mine["id"]]
    assert command("apply", yes=True).status == 1
    assert not found.exchanges.by_id
    assert command("apply", yes=True, adopt=True).status == 0
    assert [one["action_id"] for one in found.exchanges.by_id.values()] == [somebodys["id"]]


def test_an_id_that_nobody_has_is_told_before_its_variables_are_printed(command):
    command.set("AUTH0_M2M_CLIENT_ID", "nobody")
    done = command("env")
    assert (done.status, done.out) == (2, "")
    assert "no application has the id in AUTH0_M2M_CLIENT_ID" in done.err
