# SPDX-License-Identifier: MIT
"""What the users file brings into storage: the address of a user who has none there."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.domain.errors import UserNotFound
from app.domain.users import Address
from providers.authelia.cluster.imports import Imports
from providers.authelia.cluster.users_file import UsersFile
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.users import Users
from tests.support.authelia import populated
from tests.support.basics import Clock
from tests.support.buckets import InterruptedBucket, MemoryBucket
from tests.support.people import grace
from tests.support.waiting import until

ADA, ALTERNATE = Address("ada@example.org"), Address("ada@lovelace.example")
FILE = "users:\n  ada: {displayname: Ada, password: x, email: %s}\n"


async def _settled(provider) -> None:
    await until(lambda: not provider.readiness()["kubernetes?"])


async def test_an_address_that_is_corrected_in_the_file_comes_into_storage(js, stage):
    await populated(js, ())
    stage.kubernetes.file = FILE % "ada@"
    async with stage.replica(every=0.05) as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        with pytest.raises(UserNotFound):
            await provider.directory.by_email(ADA)
        stage.kubernetes.file = FILE % "Ada@Example.org"
        await until(lambda: not provider.measurements()["auth_service_sync_skipped_users"])
        assert (await provider.directory.by_email(ADA)).username == "ada"
    assert stage.kubernetes.file == FILE % "Ada@Example.org"


@pytest.mark.parametrize("email", ["''", "~", "' '"])
async def test_a_user_without_address_is_nothing_to_be_reported(js, stage, email):
    await populated(js, ())
    stage.kubernetes.file = FILE % email
    async with stage.replica() as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 0


async def test_an_address_that_is_somebody_elses_stays_theirs(js, stage):
    await populated(js, (grace,))
    await (await js.key_value("authelia-users")).put("ada", json.dumps({"username": "ada", "email": ""}).encode())
    stage.kubernetes.file = (FILE % "grace@example.org").replace("users:", "users:\n  grace.hopper: {displayname: G}")
    async with stage.replica() as provider:
        await _settled(provider)
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        assert (await provider.directory.by_email(Address("grace@example.org"))).username == "grace.hopper"
        assert (await provider.directory.by_username("ada")).primary_email == ""


async def _without_address(seed):
    """Ada, with an alternate and no primary address."""
    clock = Clock()
    bucket = MemoryBucket(seed, clock)
    users = Users(bucket.opened, clock, clock)
    await users.create("ada", Address(""), "Ada")
    await users.claim("ada", ALTERNATE)
    await users.change("ada", lambda record: records.with_verified(record, ALTERNATE))
    return users


async def test_an_alternate_that_becomes_the_primary_address_is_there_once():
    users = await _without_address(0)
    await Imports(users).run(UsersFile(FILE % ALTERNATE))
    record = await users.get("ada")
    assert (record["email"], record["alternate_email"]) == (ALTERNATE, [])


@pytest.mark.parametrize("seed", range(20))
async def test_replicas_and_a_change_of_the_primary_address_at_once_leave_all_of_hers_hers(seed):
    users = await _without_address(seed)
    user = records.user("ada", await users.get("ada"))
    changing = AutheliaAccounts(users).set_primary(user, ALTERNATE, keep=None)
    await asyncio.gather(*(Imports(users).run(UsersFile(FILE % ADA)) for _ in range(3)), changing)
    held = list(records.held(await users.get("ada")))
    assert held in ([ALTERNATE], [ALTERNATE, ADA])
    assert (await users.holder(ALTERNATE))[0] == "ada"
    if ADA in held:
        assert (await users.holder(ADA))[0] == "ada"
    else:
        await users.create("somebody", ADA, "Somebody")
        assert (await users.holder(ADA))[0] == "somebody"


async def test_an_address_that_is_claimed_anew_meanwhile_is_not_given_back():
    """Another replica gives the user another primary address, and is about to link that of the file."""
    clock = Clock()
    bucket = InterruptedBucket(0, clock)
    here, there = (Users(bucket.opened, clock, clock) for _ in range(2))
    await here.create("ada", Address(""), "Ada")

    async def meanwhile():
        await there.change("ada", lambda record: {**record, "email": ALTERNATE})
        await there.claim("ada", ADA)

    bucket.at, bucket.first = "ada", meanwhile
    await Imports(here).run(UsersFile(FILE % ADA))
    assert (await here.get("ada"))["email"] == ALTERNATE
    assert await there.confirm("ada", ADA) is True
