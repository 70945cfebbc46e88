# SPDX-License-Identifier: MIT
"""Entries of the Secret that people put there."""

from __future__ import annotations

import base64

import bcrypt
import pytest

from tests.stand_ins.kubernetes import CONFIGMAP, SECRET
from tests.support.authelia import PEOPLE, users_file
from tests.support.people import grace
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("people")
OTHERS = users_file(tuple(person for person in PEOPLE if person.username not in {"ada", "grace.hopper"}))


def _put(stage, **entries: bytes) -> dict[str, str]:
    data = {name.replace("_", "."): base64.b64encode(value).decode() for name, value in entries.items()}
    stage.kubernetes.put(SECRET, {"kind": "Secret", "data": data})
    return data


@pytest.mark.parametrize("value", [b"\xff\xfe\x00secret", b"caf\xe9", b"a\x00b", "secret".encode("utf-16")])
async def test_one_that_is_no_text_is_left_alone_and_reported_and_others_go_on(stage, value):
    stage.kubernetes.file = OTHERS
    data = _put(stage, grace_hopper=value, kept=b"\xff")
    async with stage.replica() as provider:
        await until(lambda: provider.readiness()["kubernetes?"].startswith("1 entry of the Secret"))
        assert provider.readiness() == {
            "storage": "",
            "signing key?": "",
            "kubernetes?": "1 entry of the Secret cannot be a password: no UTF-8, or a NUL in it",
        }
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        assert provider.measurements()["auth_service_sync_failures_total"] == 0
        assert (await provider.directory.by_subject(grace.subject)).username == "grace.hopper"
    assert "grace.hopper" not in stage.kubernetes.users
    password = stage.kubernetes.password("ada")
    assert bcrypt.checkpw(password.encode(), stage.kubernetes.users["ada"]["password"].encode())
    kept = {name: entry for name, entry in stage.kubernetes.objects[SECRET]["data"].items() if name != "ada"}
    assert kept == data


async def test_one_that_is_mended_is_used(stage):
    stage.kubernetes.file = OTHERS
    _put(stage, grace_hopper=b"\xff", ada=b"x")
    async with stage.replica(every=0.2) as provider:
        await until(lambda: provider.readiness()["kubernetes?"].startswith("1 entry of the Secret"))
        _put(stage, grace_hopper="pässword".encode(), ada=b"x")
        await until(lambda: not provider.readiness()["kubernetes?"])
        assert provider.measurements()["auth_service_sync_skipped_users"] == 0
    hashed = stage.kubernetes.users["grace.hopper"]["password"]
    assert bcrypt.checkpw("pässword".encode(), hashed.encode())
    assert stage.kubernetes.count("update", SECRET) == 0
    assert stage.kubernetes.count("update", CONFIGMAP) == 2


async def test_one_that_changes_between_attempts_is_hashed_anew(stage):
    stage.kubernetes.file = OTHERS
    _put(stage, grace_hopper=b"before", ada=b"x")
    stage.kubernetes.faults[f"update {CONFIGMAP}"] = 500
    async with stage.replica(after_failure=0.05) as provider:
        await until(lambda: provider.measurements()["auth_service_sync_failures_total"])
        _put(stage, grace_hopper=b"after", ada=b"x")
        stage.kubernetes.faults.clear()
        await until(lambda: not provider.readiness()["kubernetes?"])
    assert bcrypt.checkpw(b"after", stage.kubernetes.users["grace.hopper"]["password"].encode())
    assert bcrypt.checkpw(b"x", stage.kubernetes.users["ada"]["password"].encode())


async def test_no_hash_is_kept_once_it_is_in_the_file(stage):
    stage.kubernetes.file = OTHERS
    async with stage.replica(every=0.05) as provider:
        await until(lambda: not provider.readiness()["kubernetes?"])
        before = stage.kubernetes.users["ada"]["password"]
        stage.kubernetes.file = OTHERS
        await until(lambda: "ada" in stage.kubernetes.users)
    assert stage.kubernetes.users["ada"]["password"] != before
