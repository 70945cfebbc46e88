# SPDX-License-Identifier: MIT
"""Users in storage and Authelia's users file, kept in step by any number of replicas."""

from __future__ import annotations

import json

import bcrypt
import pytest

from app.domain.users import Address
from tests.stand_ins.kubernetes import CONFIGMAP, DAEMONSET, FILE, SECRET
from tests.support.authelia import PEOPLE, populated, users_file
from tests.support.people import ada, grace
from tests.support.waiting import until

OTHERS = tuple(person for person in PEOPLE if person is not grace)


async def _settled(provider) -> None:
    """Wait until a synchronisation has succeeded."""
    await until(lambda: not provider.readiness()["kubernetes?"])


@pytest.mark.usefixtures("people")
async def test_nothing_is_written_when_all_is_in_step(stage):
    before = stage.kubernetes.file
    async with stage.replica() as provider:
        await _settled(provider)
    assert stage.kubernetes.file == before
    assert stage.kubernetes.calls == [("get", CONFIGMAP)]


@pytest.mark.usefixtures("people")
async def test_a_user_who_is_not_in_the_file_gets_a_password_and_an_entry(stage):
    stage.kubernetes.file = users_file(OTHERS)
    async with stage.replica() as provider:
        await _settled(provider)
    password = stage.kubernetes.password("grace.hopper")
    entry = stage.kubernetes.users["grace.hopper"]
    assert len(password) == 20
    assert bcrypt.checkpw(password.encode(), entry.pop("password").encode())
    assert entry == {"displayname": "grace.hopper", "email": "grace@example.org"}
    assert stage.kubernetes.restarts == 1


@pytest.mark.usefixtures("people")
async def test_replicas_at_once_make_one_password_and_one_restart(stage):
    stage.kubernetes.file = users_file(OTHERS)
    settings = stage.settings()
    async with stage.replica(settings) as one, stage.replica(settings) as two:
        await _settled(one)
        await _settled(two)
    password = stage.kubernetes.password("grace.hopper")
    assert bcrypt.checkpw(password.encode(), stage.kubernetes.users["grace.hopper"]["password"].encode())
    assert stage.kubernetes.count("update", SECRET) == 1
    assert stage.kubernetes.count("update", CONFIGMAP) == 1
    assert stage.kubernetes.restarts == 1


@pytest.mark.usefixtures("people")
async def test_a_new_primary_address_goes_into_the_file_and_the_password_stays(stage):
    async with stage.replica() as provider:
        await _settled(provider)
        user = await provider.directory.by_subject(ada.subject)
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
        await until(lambda: stage.kubernetes.restarts)
    assert stage.kubernetes.users["ada"] == {
        "displayname": "ada",
        "password": "$2b$x",
        "email": "ada@lovelace.example",
    }


async def test_a_user_of_the_file_comes_into_storage(js, stage):
    await populated(js, ())
    stage.kubernetes.file = "users:\n  new:\n    displayname: New User\n    password: x\n    email: New@Example.org\n"
    async with stage.replica() as provider:
        await _settled(provider)
        user = await provider.directory.by_email(Address("new@example.org"))
        assert (user.username, user.user_id) == ("new", "auth0|new")
    kv = await js.key_value("authelia-users")
    assert json.loads((await kv.get("new")).value)["displayname"] == "New User"


STRANGE = """\
# Kept as it is.
theme: 'dark'   # and this
users:
  ada:
    disabled: false
    displayname: "Ada"   # quoted
    password: '$argon2id$v=19$x'
    email: old@example.org
    groups: [admins, "dev"]
    extra: {deep: 1}
"""


async def test_what_is_not_meant_stays_as_it_was(js, stage):
    await populated(js, (ada,))
    stage.kubernetes.file = STRANGE
    before = stage.kubernetes.objects[CONFIGMAP]
    before["data"]["other.yml"] = "kept: true"
    before["metadata"]["labels"] = {"kept": "too"}
    async with stage.replica() as provider:
        await _settled(provider)
    after = stage.kubernetes.objects[CONFIGMAP]
    assert after["data"] == {FILE: STRANGE.replace("old@example.org", "ada@example.org"), "other.yml": "kept: true"}
    assert after["metadata"]["labels"] == {"kept": "too"}


async def test_an_entry_without_display_name_gets_the_username(js, stage):
    await populated(js, ())
    stage.kubernetes.file = "users:\n  bob:\n    password: x\n    email: bob@example.org\n"
    async with stage.replica() as provider:
        await _settled(provider)
    assert stage.kubernetes.users["bob"] == {"password": "x", "email": "bob@example.org", "displayname": "bob"}


@pytest.mark.usefixtures("people")
async def test_only_gets_and_updates_of_the_three_objects_are_asked_for(stage):
    stage.kubernetes.file = users_file(OTHERS)
    async with stage.replica() as provider:
        await _settled(provider)
    assert set(stage.kubernetes.calls) == {
        ("get", CONFIGMAP),
        ("update", CONFIGMAP),
        ("get", SECRET),
        ("update", SECRET),
        ("get", DAEMONSET),
        ("patch", DAEMONSET),
    }
