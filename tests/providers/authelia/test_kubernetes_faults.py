# SPDX-License-Identifier: MIT
"""A Kubernetes API that fails: what is shown, what is left alone, and what is made good later."""

from __future__ import annotations

import asyncio

import bcrypt
import pytest

from app.domain.errors import ProviderUnavailable
from providers.authelia.cluster.pace import Pace
from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET, SECRET
from tests.support.authelia import PEOPLE, populated, users_file
from tests.support.people import ada, grace
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("people")

OTHERS = users_file(tuple(person for person in PEOPLE if person is not grace))
"""Grace is missing: all three objects have to be changed."""
KUBERNETES = "kubernetes?"
VERB = {CONFIGMAP: "PUT", SECRET: "PUT", DAEMONSET: "PATCH"}
ASKED = {"PUT": "update", "PATCH": "patch"}


SOON = {"after_failure": 0.05, "restart": 0.0}
"""Failures are followed by the next attempt at once, and an unfinished restart is anybody's at once."""


async def _fault(provider) -> str:
    await until(lambda: provider.measurements()["auth_service_sync_failures_total"])
    return provider.readiness()[KUBERNETES]


async def _settled(provider) -> None:
    await until(lambda: not provider.readiness()[KUBERNETES])


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_an_object_that_cannot_be_read_is_named_and_the_subjects_go_on(stage, path, status):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[path] = status
    async with stage.replica() as provider:
        assert await _fault(provider) == f"GET {path}: status {status}"
        assert provider.readiness()["storage"] == ""
        assert (await provider.directory.by_subject(ada.subject)).username == "ada"


@pytest.mark.parametrize("status", [401, 403, 500])
@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_an_object_that_cannot_be_changed_is_named(stage, path, status):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[f"{ASKED[VERB[path]]} {path}"] = status
    async with stage.replica() as provider:
        assert await _fault(provider) == f"{VERB[path]} {path}: status {status}"


@pytest.mark.parametrize("verb", ["get", "update", "patch"])
async def test_a_verb_that_the_role_does_not_grant_is_named(stage, verb):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.granted.remove(verb)
    async with stage.replica() as provider:
        assert "status 403" in await _fault(provider)
    assert stage.kubernetes.restarts == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [("garbage", "JSONDecodeError"), ("list", "no object"), ("values", "answer is of too many values")],
)
@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_an_answer_that_is_none_is_reported(stage, path, fault, said):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[path] = fault
    async with stage.replica() as provider:
        assert await _fault(provider) == f"GET {path}: {said}"


def test_an_attempt_takes_two_seconds_at_most():
    assert Pace().call == 2.0


async def test_an_api_that_hangs_is_given_up(stage):
    stage.kubernetes.faults[CONFIGMAP] = "hang"
    async with stage.replica(call=0.2) as provider:
        assert await _fault(provider) == f"GET {CONFIGMAP}: no answer in time"


@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
@pytest.mark.parametrize("fault", ["hang", "lost"])
async def test_a_read_that_is_not_answered_is_tried_again(stage, path, fault):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"get {path}"] = fault
    async with stage.replica(call=2.0) as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_failures_total"] == 0
    assert stage.kubernetes.restarts == 1


@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_a_change_that_is_not_answered_is_not_tried_again_blindly(stage, path):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"{ASKED[VERB[path]]} {path}"] = "hang"
    async with stage.replica(call=1.0) as provider:
        assert await _fault(provider) == f"{VERB[path]} {path}: no answer in time"


async def test_an_api_that_is_away_is_reported(stage):
    stage.kubernetes.url = "http://127.0.0.1:1"
    async with stage.replica() as provider:
        assert (await _fault(provider)).startswith(f"GET {CONFIGMAP}: ")
        assert (await provider.directory.by_subject(ada.subject)).username == "ada"


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_what_failed_is_made_good_when_the_fault_has_passed(stage, path, status):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[path] = status
    async with stage.replica(**SOON) as provider:
        await _fault(provider)
        stage.kubernetes.faults.clear()
        await _settled(provider)
        await until(lambda: stage.kubernetes.restarts)
    password = stage.kubernetes.password("grace.hopper")
    assert bcrypt.checkpw(password.encode(), stage.kubernetes.users["grace.hopper"]["password"].encode())
    assert stage.kubernetes.restarts == 1


@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_a_conflict_is_followed_by_a_fresh_look(stage, path):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"{ASKED[VERB[path]]} {path}"] = 409
    async with stage.replica() as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_conflicts_total"] == 1
    assert "grace.hopper" in stage.kubernetes.users
    assert stage.kubernetes.count("update", SECRET) == 1
    assert stage.kubernetes.restarts == 1


@pytest.mark.parametrize("path", [CONFIGMAP, SECRET])
async def test_conflicts_without_end_are_given_up_for_now(stage, path):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[f"update {path}"] = 409
    async with stage.replica() as provider:
        assert await _fault(provider) == "too many conflicts"
    assert stage.kubernetes.restarts == 0


@pytest.mark.parametrize("path", [CONFIGMAP, SECRET, DAEMONSET])
async def test_a_change_whose_answer_is_lost_is_not_made_twice(stage, path):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.once[f"{ASKED[VERB[path]]} {path}"] = "lost"
    async with stage.replica(**SOON) as provider:
        await _fault(provider)
        await _settled(provider)
    password = stage.kubernetes.password("grace.hopper")
    assert bcrypt.checkpw(password.encode(), stage.kubernetes.users["grace.hopper"]["password"].encode())
    assert [stage.kubernetes.count(*call) for call in (("update", SECRET), ("update", CONFIGMAP))] == [1, 1]
    assert stage.kubernetes.restarts == 1


@pytest.mark.parametrize(
    "text", ["users: [", "users: text\n", "- a\n", "users:\n  ada: 5\n", "users: {a: {}, a: {}}\n", "a: b: c\n", "\x00"]
)
async def test_a_users_file_that_is_none_is_left_alone_and_reported(stage, text):
    stage.kubernetes.file = text
    async with stage.replica() as provider:
        assert await _fault(provider) not in {"", "not synchronised yet"}
    assert stage.kubernetes.file == text
    assert stage.kubernetes.calls == [("get", CONFIGMAP)]


@pytest.mark.parametrize("data", [None, {}, {"other.yml": "kept"}])
async def test_a_configmap_without_the_file_is_left_alone_and_reported(stage, data):
    stage.kubernetes.objects[CONFIGMAP]["data"] = data
    async with stage.replica() as provider:
        assert await _fault(provider) == "no users_database.yml"
    assert stage.kubernetes.objects[CONFIGMAP]["data"] == data


async def test_a_restart_that_was_cut_off_is_made_by_another_replica_once(stage):
    """The file is changed, and the process is gone before the restart."""
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[f"patch {DAEMONSET}"] = "hang"
    async with stage.replica(**SOON) as provider:
        await until(lambda: ("update", CONFIGMAP) in stage.kubernetes.calls)
        await asyncio.sleep(0)
        assert provider.readiness()[KUBERNETES]
    assert stage.kubernetes.restarts == 0
    stage.kubernetes.faults.clear()
    async with stage.replica(**SOON) as one, stage.replica(**SOON) as two:
        await _settled(one)
        await _settled(two)
        await until(lambda: stage.kubernetes.restarts)
    assert stage.kubernetes.restarts == 1


async def test_an_unfinished_restart_is_left_to_who_began_it_for_a_minute(stage):
    stage.kubernetes.file = OTHERS
    stage.kubernetes.faults[f"patch {DAEMONSET}"] = "hang"
    async with stage.replica():
        await until(lambda: ("patch", DAEMONSET) in stage.kubernetes.hung)
    stage.kubernetes.faults.clear()
    async with stage.replica() as provider:
        await _settled(provider)
    assert stage.kubernetes.restarts == 0


async def test_an_address_of_the_file_that_is_somebody_elses_is_reported_and_nobody_loses_it(stage, js):
    await populated(js)
    file = users_file() + "  intruder: {displayname: I, password: x, email: ada@example.org}\n"
    stage.kubernetes.file = file
    async with stage.replica() as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        assert (await provider.directory.by_email("ada@example.org")).username == "ada"
    assert stage.kubernetes.file == file


async def test_a_name_of_the_file_that_can_be_no_key_is_skipped(stage):
    stage.kubernetes.file = users_file() + "  łukasz: {displayname: L, password: x, email: l@example.org}\n"
    async with stage.replica() as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        with pytest.raises(Exception, match="user not found") as error:
            await provider.directory.by_username("łukasz")
    assert not isinstance(error.value, ProviderUnavailable)
