# SPDX-License-Identifier: MIT
"""Tenants as they are found: odd answers, others at work at the same time, things that are there twice or half."""

from __future__ import annotations

import copy
import os
import threading
from pathlib import Path

import pytest

from app.cli.tenant import run
from app.cli.tenant.run import Options
from tests.cli.tenant.test_deviations import ACTION, LOOKUP, PROFILE, SERVICE, action, client, undeployed, wrong_key
from tests.stand_ins.auth0.resources import ADMIN_CLIENT, ADMIN_SECRET

LOOKED_AT = (
    *("clients.list", "clients.get", "credentials.list", "grants.list", "connections.list", "connections.clients"),
    *("apis.get", "actions.triggers", "actions.get", "exchanges.list"),
)


@pytest.mark.parametrize("operation", LOOKED_AT)
def test_wrong_types_are_no_traceback_and_change_nothing(command, operation):
    before = copy.deepcopy(command.tenant.resources.snapshot())
    command.tenant.faults.add("wrong_types", on=operation)
    done = command.check()
    assert done.status in {0, 1}
    assert {one["state"] for one in done.json["requirements"]} <= {"ok", "differs", "missing", "cannot tell"}
    assert command.tenant.resources.snapshot() == before


@pytest.mark.parametrize("operation", ["clients.get", "apis.get", "actions.get", "actions.triggers"])
def test_fields_that_are_missing_are_no_traceback(command, operation):
    command.tenant.faults.json({}, operation)
    assert command.check().status in {0, 1}


def test_who_does_not_answer_as_a_tenant_does_cannot_be_asked(command):
    command.tenant.faults.html(404)
    done = command("check")
    assert (done.status, done.out) == (2, "")
    assert "does not answer as a tenant's Management API does" in " ".join(done.err.split())


def test_applications_that_come_after_a_total_that_is_too_small_are_found(command):
    for number in range(150):
        command.tenant.resources.applications.add(f"a{number:03}", name=f"Application {number}")
    others = [{"client_id": f"a{number:03}", "name": "x"} for number in range(100)]
    page = {"start": 0, "limit": 100, "length": 100, "total": 100, "clients": others}
    applications = command.tenant.resources.applications.by_id
    for one in (SERVICE, PROFILE, "LFX One", LOOKUP):
        found = client(command.tenant.resources, one)["client_id"]
        applications[found] = applications.pop(found)  # on the second page
    command.tenant.faults.json(page, "clients.list", times=1)
    assert command.check().status == 0


def test_a_domain_in_capitals_is_the_same_tenant(command):
    command.unset("AUTH0_ADMIN_TOKEN")
    command.set("AUTH0_ADMIN_CLIENT_ID", ADMIN_CLIENT)
    command.set("AUTH0_ADMIN_CLIENT_SECRET", ADMIN_SECRET)
    domain = command.tenant.domain
    done = command("env", domain=domain.upper())
    assert (done.status, f"AUTH0_DOMAIN={domain}\n" in done.out) == (0, True)


def test_grants_of_others_that_come_without_being_asked_for_are_nobodys_here(command):
    audience = command.tenant.resources.management_audience
    grant = {"id": "cgr_1", "client_id": "somebody", "audience": audience, "scope": [], "subject_type": "client"}
    command.tenant.faults.json({"client_grants": [grant]}, "grants.list")
    assert command.check().row("its rights")["state"] == "missing"


def test_a_rate_limit_in_the_middle_of_writes_and_of_getting_a_token_is_waited_for(bare, made):
    bare.unset("AUTH0_ADMIN_TOKEN")
    bare.set("AUTH0_ADMIN_CLIENT_ID", ADMIN_CLIENT)
    bare.set("AUTH0_ADMIN_CLIENT_SECRET", ADMIN_SECRET)
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    for operation in ("token.client_credentials", "clients.create", "grants.create", "actions.deploy"):
        bare.tenant.faults.too_many(operation, retry_after="0", times=1)
    done = bare("apply", yes=True)
    assert (done.status, done.err.count("the tenant limits calls")) == (0, 4)


@pytest.mark.parametrize(("status", "words"), [(404, "The connection does not exist."), (409, "Somebody was first.")])
def test_what_another_has_done_meanwhile_is_told_and_the_next_run_goes_on(bare, made, status, words):
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    content = {"statusCode": status, "error": "Error", "message": words}
    bare.tenant.faults.status(status, "connections.create", content, skip=1, times=1)
    done = bare("apply", yes=True)
    assert done.status == 1
    assert f"create connection: {words} (status {status})" in " ".join(done.err.split())
    assert bare("apply", yes=True).status == 0


def test_two_who_apply_at_once_come_to_one_end_once_what_is_there_twice_is_deleted(bare, made):
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    bare.tenant.faults.latency = 0.002
    ended = []
    both = [threading.Thread(target=lambda: ended.append(run.apply(Options(yes=True)))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert set(ended) <= {0, 1}
    assert len(ended) == 2
    applications = bare.tenant.resources.applications.by_id
    for name in (SERVICE, PROFILE, "LFX One", LOOKUP):
        for client_id in sorted(key for key, one in applications.items() if one["name"] == name)[1:]:
            del applications[client_id]
    assert bare("apply", yes=True).status == 0


@pytest.mark.parametrize(
    ("name", "row", "variable"),
    [
        (SERVICE, "M2M applications", "AUTH0_M2M_CLIENT_ID"),
        (PROFILE, "profile applications", "AUTH0_LFX_PROFILE_CLIENT_ID"),
        ("LFX One", "LFX One applications", "AUTH0_LFX_ONE_CLIENT_ID"),
        (LOOKUP, "look-up applications", ""),
    ],
)
def test_an_application_that_is_there_twice_is_told_and_named_by_its_variable(command, name, row, variable):
    first = client(command.tenant.resources, name)
    same = {field: value for field, value in first.items() if field != "client_id"}
    command.tenant.resources.applications.add("zzz", **same)
    done = command.check()
    wrong = {one["what"]: one for one in done.json["requirements"] if one["state"] != "ok"}
    assert (done.status, set(wrong)) == (1, {row})
    assert f"{first['client_id']} is used now" in wrong[row]["remedy"]
    if variable:
        assert variable in wrong[row]["remedy"]
        command.set(variable, first["client_id"])
        assert command.check().status == 0


def test_a_key_that_nothing_is_done_with_is_not_made(command, tmp_path):
    client(command.tenant.resources, SERVICE)["client_metadata"] = {}
    done = command("apply", yes=True, new_key=tmp_path / "m2m.pem")
    assert (done.status, list(tmp_path.iterdir())) == (1, [])


def test_a_key_that_was_registered_by_hand_is_known_by_a_token_that_is_got_with_it(command):
    (credential,) = command.tenant.resources.applications.credentials[
        client(command.tenant.resources, SERVICE)["client_id"]
    ].values()
    credential["kid"] = "an-id-of-the-tenant"
    assert command.check().row("its key")["why"] == "registered by hand; the tenant takes what it signs"


@pytest.mark.parametrize("content", [{"error": ["x"]}, {"error": "server_error"}, []])
def test_whether_a_key_is_taken_cannot_be_told_by_any_odd_answer(command, content):
    wrong_key(command.tenant.resources)
    command.tenant.faults.json(content, "token.client_credentials", status=400)
    done = command.check()
    assert (done.status, done.row("service")["state"]) == (1, "cannot tell")


def test_a_key_that_came_in_meanwhile_stays_in(command, tmp_path):
    found = command.tenant.resources
    service = client(found, SERVICE)
    (first,) = found.applications.credentials[service["client_id"]]
    assert command("apply", yes=True, new_key=tmp_path / "m2m.pem").status == 0
    named = service["client_authentication_methods"]["private_key_jwt"]["credentials"]
    assert first in {one["id"] for one in named}
    assert len(named) == 2


def test_further_audiences_are_given_to_the_action_and_stay_where_none_are_set(command):
    command.set("AUTH0_IMPERSONATION_AUDIENCES", "https://a.example/,https://b.example/")
    assert command.plan() == [f"change secrets of the Action {ACTION}", "deploy the Action"]
    assert command("apply", yes=True).status == 0
    command.unset("AUTH0_IMPERSONATION_AUDIENCES")
    assert command.plan() == []
    action(command.tenant.resources)["code"] += "// changed"
    assert command("apply", yes=True).status == 0
    values = {one["name"]: one["value"] for one in action(command.tenant.resources)["secrets"]}
    assert values["MORE_AUDIENCES"] == "https://a.example/,https://b.example/"


def test_an_exchange_profile_whose_action_is_gone_is_for_people(command):
    command.tenant.resources.actions.by_id.clear()
    done = command.check()
    assert done.row("exchange Action")["state"] == "missing"
    assert done.row("exchange profile")["remedy"] == f"delete the profile {ACTION} in the dashboard, then apply"


def test_an_action_that_the_tenant_cannot_build_is_not_waited_for(command):
    undeployed(command.tenant.resources)
    action(command.tenant.resources)["status"] = "failed"
    done = command("apply", yes=True)
    assert done.status == 1
    assert "deploy the Action: deploy Action: the tenant could not build it" in " ".join(done.err.split())


def test_nobody_answers_the_question_and_nothing_is_done(bare, made, monkeypatch):
    bare.set("AUTH0_M2M_PRIVATE_BASE64_KEY", made[1])
    with Path(os.devnull).open(encoding="ascii") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        done = bare("apply")
    assert done.status == 1
    assert "Use --yes to run without the question" in done.err
    assert bare.tenant.records.count("*.create") == 0
