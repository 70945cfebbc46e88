# SPDX-License-Identifier: MIT
"""From a bare tenant to one that the service can use, and what happens on the way."""

from __future__ import annotations

import copy
import json
import os
import shlex
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


def shape(tenant):
    """What stands in a tenant, without what is made up anew each time."""
    found = tenant.resources
    clients = {one["client_id"]: one["name"] for one in found.applications.by_id.values()}
    return {
        "clients": sorted(clients.values()),
        "keys": sorted((clients[name], len(held)) for name, held in found.applications.credentials.items()),
        "grants": sorted((clients[one["client_id"]], one["scope"]) for one in found.grants.by_id.values()),
        "connections": sorted(one["name"] for one in found.connections.by_id.values()),
        "enabled": sorted(sorted(clients[name] for name in held) for held in found.connections.clients_of.values()),
        "apis": sorted(one["name"] for one in found.apis.by_id.values()),
        "actions": sorted(one["name"] for one in found.actions.by_id.values()),
        "deployed": len(found.actions.deployed),
        "exchanges": len(found.exchanges.by_id),
    }


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


@pytest.mark.parametrize("number", range(13))
def test_killed_at_any_step_the_next_run_comes_to_the_same_end(bare, made, tmp_path, number):
    operations = ["clients.create"] * 4 + ["apis.create"] + ["connections.create"] * 2 + ["grants.create"] * 3
    operations += ["actions.create", "actions.deploy", "exchanges.create"]
    skip = operations[:number].count(operations[number])
    key = tmp_path / "m2m.pem"
    # Done, and the answer lost with the process that waited for it.
    bare.tenant.faults.add("reset", on=operations[number], skip=skip, times=1, acts=True)
    done = bare("apply", yes=True, new_key=key)
    assert done.status in {1, 2}
    assert key.exists()
    bare.tenant.faults.clear()
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
    assert bare("apply", yes=True).status == 0
    found = shape(bare.tenant)
    from tests.app.tenant.conftest import restored  # noqa: PLC0415 - beside the fixture that is compared with

    restored(bare.tenant, made[0])
    assert found == shape(bare.tenant)


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


@pytest.mark.parametrize("body", ["{", "[]", "null", '{"clients": 5}', '{"connections": [[]]}', "5"])
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


@pytest.mark.parametrize("form", ["env", "values", "secret"])
def test_the_variables_are_printed_with_their_secrets_when_asked_for(command, form):
    done = command("env", form=form, show=True)
    profile = next(
        one for one in command.tenant.resources.applications.by_id.values() if one["name"] == "LFX One Profile"
    )
    assert done.status == 0
    assert profile["client_secret"] in done.out
    if form == "env":
        given = dict(line.split("=", 1) for line in shlex.split(done.out))
        assert given["AUTH0_LFX_PROFILE_CLIENT_ID"] == profile["client_id"]


def test_a_big_tenant_is_left_as_it_is_and_costs_few_calls(running, capsys, monkeypatch, tmp_path):
    from tests.app.tenant.conftest import Command  # noqa: PLC0415 - the fixture's class, for a tenant of this test's

    running.reset(bare=True)
    crowd(running.tenant)
    before = json.dumps(running.tenant.resources.snapshot())
    command = Command(running.tenant, capsys, monkeypatch)
    key = tmp_path / "m2m.pem"
    assert command("apply", yes=True, new_key=key).status == 0
    monkeypatch.setenv("AUTH0_M2M_PRIVATE_BASE64_KEY", key.read_text())
    running.tenant.records.clear()
    assert command.check().status == 0
    assert sum(running.tenant.records.calls.values()) <= 30
    after = running.tenant.resources.snapshot()
    kept = {name: {one: after[name][one] for one in store} for name, store in json.loads(before).items()}
    assert json.dumps(kept) == before


def crowd(tenant):
    """Fill a tenant with what others have made: applications, connections, Actions, an exchange profile."""
    found = tenant.resources
    for number in range(200):
        found.applications.add(f"client{number:03}", name=f"Application {number}", app_type="regular_web")
        found.grants.add(f"client{number:03}", found.management_audience, ["read:users"])
    for number in range(100):
        made = found.connections.add(f"connection-{number}", "google-oauth2")
        found.connections.clients_of[made["id"]].update({f"client{one:03}": None for one in range(200)})
    for number in range(30):
        action = found.actions.add(f"Action {number}", "custom-token-exchange" if number == 0 else "post-login")
    found.exchanges.add("another", "urn:another", action["id"])
