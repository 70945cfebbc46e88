# SPDX-License-Identifier: MIT
"""Users files as people write them, from Kubernetes to storage and back."""

from __future__ import annotations

import json

import pytest

from app.domain.users import Address
from tests.stand_ins.kubernetes import CONFIGMAP
from tests.support.authelia import populated
from tests.support.waiting import until

NAMES = ["1001", "007", "true", "null", "2024-01-01", "1.10", "0x1F"]


async def _settled(provider) -> None:
    await until(lambda: not provider.readiness()["kubernetes?"])


async def _store(js, name, **fields) -> None:
    kv = await js.key_value("authelia-users")
    await kv.put(name, json.dumps({"username": name, "email": f"u{name}@example.org", **fields}).encode())


@pytest.mark.parametrize("name", NAMES)
async def test_whoever_is_in_the_file_gets_no_second_entry(js, stage, name):
    await populated(js, ())
    await _store(js, name)
    file = f"users:\n  {name}:\n    displayname: {name}x\n    password: x\n    email: old@example.org\n"
    stage.kubernetes.file = file
    async with stage.replica() as provider:
        await _settled(provider)
    assert stage.kubernetes.file == file.replace("old@example.org", f"u{name}@example.org".lower())


@pytest.mark.parametrize("name", NAMES)
async def test_whoever_is_not_gets_one_that_is_read_as_that_name(js, stage, name):
    await populated(js, ())
    await _store(js, name)
    stage.kubernetes.file = "users:\n  ada: {displayname: Ada, password: x, email: ada@example.org}\n"
    async with stage.replica() as provider:
        await until(lambda: stage.kubernetes.restarts)
        await _settled(provider)
    assert list(stage.kubernetes.users) == ["ada", name]


@pytest.mark.parametrize("name", NAMES)
async def test_a_user_of_the_file_comes_into_storage_under_that_name(js, stage, name):
    await populated(js, ())
    stage.kubernetes.file = f"users:\n  {name}: {{displayname: {name}, password: x, email: u@example.org}}\n"
    async with stage.replica() as provider:
        await _settled(provider)
        assert (await provider.directory.by_email(Address("u@example.org"))).username == name


async def test_a_name_that_stands_twice_leaves_the_file_alone_and_is_reported(js, stage):
    await populated(js, ())
    await _store(js, "somebody")
    file = 'users:\n  1001: {displayname: A, password: x}\n  "1001": {displayname: B, password: x}\n'
    stage.kubernetes.file = file
    async with stage.replica() as provider:
        await until(lambda: provider.measurements()["auth_service_sync_failures_total"])
        assert provider.readiness()["kubernetes?"] == "no YAML: line 3: a key that stands in line 2 already"
    assert stage.kubernetes.file == file
    assert stage.kubernetes.calls == [("get", CONFIGMAP)]


@pytest.mark.parametrize("behind", ["---\n", "---\nusers: {ada: {email: kept@example.org}}\n", "...\n# the end"])
async def test_of_several_documents_the_first_is_kept_in_step(js, stage, behind):
    await populated(js, ())
    await _store(js, "ada", email="new@example.org")
    file = f"users:\r\n  ada:\r\n    displayname: Ada\r\n    email: old@example.org # c\r\n{behind}"
    stage.kubernetes.file = file
    async with stage.replica() as provider:
        await until(lambda: stage.kubernetes.restarts)
        await _settled(provider)
    assert stage.kubernetes.file == file.replace("old@example.org", "new@example.org")


@pytest.mark.parametrize("length", [513, 5_000])
async def test_a_name_longer_than_any_key_is_skipped_and_others_go_on(js, stage, length):
    """To a subject of more than 4,096 characters the server lets nobody write: it ends the connection."""
    await populated(js, ())
    entry = "{displayname: A, password: x, email: %s@example.org}\n"
    stage.kubernetes.file = f"users:\n  ? {'a' * length}\n  : {entry % 'a'}  zoe: {entry % 'zoe'}"
    async with stage.replica() as provider:
        await _settled(provider)
        assert (await provider.directory.by_email(Address("zoe@example.org"))).username == "zoe"
        measured = provider.measurements()
    assert (measured["auth_service_sync_skipped_users"], measured["auth_service_sync_failures_total"]) == (1, 0)


@pytest.mark.parametrize("name", ["' '", "''", '"\\u00a0"'], ids=["space", "empty", "no-break space"])
async def test_a_blank_name_costs_one_restart_at_most(js, stage, name):
    await populated(js, ())
    stage.kubernetes.file = f"users:\n  {name}: {{displayname: '', password: x, email: blank@example.org}}\n"
    async with stage.replica(every=0.05, between=0.0, restart=0.0) as provider:
        await until(lambda: stage.kubernetes.count("get", CONFIGMAP) > 5)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
    assert stage.kubernetes.count("update", CONFIGMAP) <= 1
    assert stage.kubernetes.restarts <= 1
