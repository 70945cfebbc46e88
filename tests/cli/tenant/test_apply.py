# SPDX-License-Identifier: MIT
"""From a bare tenant to one that the service can use, and what happens on the way."""

from __future__ import annotations

import copy
import os
import stat

import pytest

STEPS = [
    "make the application LFX V2 Auth Service",
    "make the application LFX One Profile",
    "make the application LFX One",
    "make the application LFX V2 Auth Service impersonation look-up",
    "make the API",
    "make the connection Username-Password-Authentication, with usernames",
    "make the connection email, with codes",
    "grant create:users read:users update:users delete:users to LFX V2 Auth Service",
    "grant update:current_user_metadata update:current_user_identities to LFX One Profile",
    "grant read:users to LFX V2 Auth Service impersonation look-up",
    "make the Action LFX V2 Auth Service impersonation",
    "deploy the Action",
    "make the exchange profile",
]
WRITES = {"POST", "PATCH", "PUT", "DELETE"}


def writes(tenant):
    return [one.operation for one in list(tenant.records.exchanges) if one.method in WRITES and one.status]


def test_a_bare_tenant_lacks_everything_and_a_plan_changes_nothing(bare, tmp_path):
    before = copy.deepcopy(bare.tenant.resources.snapshot())
    assert bare.check().status == 1
    key = tmp_path / "m2m.pem"
    assert bare.plan(new_key=key) == [f"write the private key to {key}", *STEPS]
    assert (bare.tenant.resources.snapshot(), key.exists()) == (before, False)


def test_apply_makes_all_of_it_and_the_second_run_nothing(bare, tmp_path):
    key = tmp_path / "m2m.pem"
    done = bare("apply", yes=True, new_key=key)
    assert (done.status, done.err) == (0, "")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
    assert bare.plan() == []
    before = copy.deepcopy(bare.tenant.resources.snapshot())
    again = bare("apply", yes=True)
    assert (again.status, again.done) == (0, [])
    assert bare.tenant.resources.snapshot() == before


def test_without_a_key_no_application_is_made_for_the_service(bare):
    assert STEPS[0] not in bare.plan()
    assert "--generate-key" in bare.check().row("M2M application")["remedy"]


def test_a_key_file_that_is_there_is_refused_and_kept(bare, tmp_path):
    key = tmp_path / "m2m.pem"
    key.write_text("somebody's")
    done = bare("apply", yes=True, new_key=key)
    assert (done.status, key.read_text(), writes(bare.tenant)) == (2, "somebody's", [])


def test_a_step_that_fails_is_named_with_the_tenants_own_words(bare, tmp_path):
    content = {"statusCode": 400, "error": "Bad Request", "message": "Too many APIs for your plan"}
    bare.tenant.faults.status(400, "apis.create", content)
    done = bare("apply", yes=True, new_key=tmp_path / "m2m.pem")
    said = " ".join(done.err.split())
    assert done.status == 1
    assert "step 6 of 14 failed: make the API: create API: Too many APIs for your plan (status 400)" in said


def test_a_rate_limit_is_waited_for(command):
    command.tenant.faults.too_many("connections.list", retry_after="1", times=1)
    done = command.check()
    assert done.status == 0
    assert "waiting 1 s" in done.err


UNREADABLE = {
    "cut off": "{",
    "a list": "[]",
    "null": "null",
    "of another kind": '{"clients": 5}',
    "a list in it": '{"connections": [[]]}',
    "a number": "5",
    "lists without end": "[" * 100_000,
    "a number without end": "1" * 5_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_cannot_be_read_is_named_by_its_operation(command, body):
    command.tenant.faults.garbage("connections.list", body=body)
    done = command.check()
    assert done.status == 1
    assert "list connections: the tenant's answer cannot be read" in done.row("database")["why"]


def test_a_scope_that_is_lacking_is_named(command):
    from tests.stand_ins.auth0.resources import MANAGEMENT_SCOPES  # noqa: PLC0415 - what this test alone is about

    held = [scope for scope in MANAGEMENT_SCOPES if scope != "read:connections"]
    command.set("AUTH0_ADMIN_TOKEN", command.tenant.admin_token(held))
    done = command.check()
    assert (done.status, done.row("database")["state"]) == (1, "cannot tell")
    assert done.row("database")["why"] == "the token lacks read:connections"
    assert done.row("Management API")["state"] == "differs"


def test_the_scopes_in_the_help_are_enough(bare, tmp_path):
    from app.cli.tenant.scopes import APPLYING, READING  # noqa: PLC0415 - the same

    bare.set("AUTH0_ADMIN_TOKEN", bare.tenant.admin_token([*READING, *APPLYING]))
    assert bare("apply", yes=True, new_key=tmp_path / "m2m.pem").status == 0


def test_an_application_can_be_the_commands_rights(command):
    command.unset("AUTH0_ADMIN_TOKEN")
    command.set("AUTH0_ADMIN_CLIENT_ID", "admin-client")
    command.set("AUTH0_ADMIN_CLIENT_SECRET", "admin-client-secret-of-the-stand-in")
    assert command.check().status == 0
    command.set("AUTH0_ADMIN_CLIENT_SECRET", "wrong-secret-of-somebody")
    done = command.check()
    assert (done.status, "wrong-secret" in done.err) == (2, False)


@pytest.mark.parametrize("token", ["", "expired", "two words", "eyJhbGciOiJub25lIn0.e30."])
def test_a_tenant_that_cannot_be_asked_is_two(command, token):
    good = command.tenant.admin_token(lifetime=-10) if token == "expired" else token
    command.set("AUTH0_ADMIN_TOKEN", good)
    done = command.check()
    assert done.status == 2
    assert "Traceback" not in done.err
    assert not token or token not in done.err or token == "expired"


def test_the_table_fits_and_is_without_colours(command):
    done = command("check")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out + done.err


def test_nothing_secret_is_shown(bare, tmp_path):
    key = tmp_path / "m2m.pem"
    done = [bare("plan", new_key=key), bare("apply", yes=True, new_key=key)]
    pem = key.read_text()
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", pem)
    done += [bare("check"), bare.check(), bare("env"), bare("env", form="values"), bare("env", form="secret")]
    clients = bare.tenant.resources.applications.by_id.values()
    secrets = {os.environ["AUTH0_ADMIN_TOKEN"], pem.splitlines()[1], *(one["client_secret"] for one in clients)}
    text = "".join(one.out + one.err for one in done)
    assert [secret for secret in secrets if secret in text] == []
