# SPDX-License-Identifier: MIT
"""Records that cannot be read: they stay as they are, and what their lookup keys name is nobody else's."""

from __future__ import annotations

import json

import pytest
from loguru import logger

from app.domain.errors import ProviderUnavailable
from app.domain.users import Address
from providers.authelia.storage.records import email_key, subject_key
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import AddressHeld, Users
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket
from tests.support.waiting import until

ADA = Address("ada@example.org")
ALTERNATE = Address("ada@lovelace.example")
SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"
VALUES = {
    "a comma too many": b'{"email": "ada@example.org",}',
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "no UTF-8": b'{"email": "\xff"}',
    "too many values": b'{"a": [' + b"0," * 50_001 + b"0]}",
}


@pytest.fixture(params=VALUES)
async def world(request):
    """Ada, whose record somebody has spoilt, and Grace; all lookup keys are old."""
    clock = Clock()
    bucket = MemoryBucket(0, clock)
    users = Users(bucket.opened, clock, clock)
    await users.create("ada", ADA, "Ada")
    await users.create("grace", Address("grace@example.org"), "Grace")
    for key in (email_key(ALTERNATE), subject_key(SUB)):
        await bucket.put(key, b"ada", 0)
    await bucket.put("ada", VALUES[request.param], (await bucket.get("ada")).revision)
    clock.now += 1_000
    before = dict(bucket._entries)  # noqa: SLF001
    yield users, bucket
    named = [email_key(ADA), email_key(ALTERNATE), subject_key(SUB), subject_key("auth0|ada"), "ada"]
    assert [before[key] for key in named] == [await bucket.get(key) for key in named]


async def test_whoever_looks_for_its_user_hears_of_an_outage(world):
    users, _ = world
    asked = (
        users.get("ada"),
        users.find("ada"),
        users.holder(ADA),
        users.holder(ALTERNATE),
        users.subjects.owner(SUB),
        users.subjects.owner("auth0|ada"),
        users.change("ada", dict),
        users.create("ada", ADA, "Ada"),
        users.release("ada", ALTERNATE),
        users.subjects.store("ada", SUB),
    )
    for one in asked:
        with pytest.raises(ProviderUnavailable):
            await one


async def test_its_addresses_and_identities_are_not_free(world):
    users, bucket = world
    for address in (ADA, ALTERNATE):
        with pytest.raises(AddressHeld):
            await users.claim("grace", address)
    with pytest.raises(AddressHeld):
        await users.create("linus", ALTERNATE, "Linus")
    with pytest.raises(ProviderUnavailable):
        await SocialClaims(users, bucket.opened).claim("grace", "github", "77")


async def test_nothing_is_repaired_at_its_cost(world):
    users, _ = world
    await users.change("grace", lambda r: {**r, "sub": SUB, "alternate_email": [{"email": ADA, "verified": True}]})
    await users.repair("grace", await users.get("grace"))
    assert (await users.get("grace"))["sub"] == SUB


@pytest.mark.parametrize("sub", [SUB, "auth0|ada"])  # the latter would be derived from her username
async def test_a_sub_that_authelia_gives_to_somebody_else_is_theirs(world, sub):
    users, bucket = world
    entry = bucket._entries.get(subject_key(sub))  # noqa: SLF001
    assert (await users.subjects.store("grace", sub))["sub"] == sub
    assert (await users.subjects.owner(sub))[0] == "grace"
    bucket._entries[subject_key(sub)] = entry or await bucket.get("nobody")  # noqa: SLF001 - as the fixture expects it


@pytest.mark.usefixtures("people")
async def test_synchronisation_leaves_it_alone_and_reports_it_once_and_others_go_on(stage, js):
    kv = await js.key_value("authelia-users")
    await kv.put("ada", VALUES["a comma too many"])
    lines = []
    handler = logger.add(lines.append, level="WARNING", format="{message} {extra}")
    async with stage.replica(every=0.2) as provider:
        await until(lambda: provider.readiness()["kubernetes?"] == "1 record in storage cannot be read")
        assert provider.measurements()["auth_service_sync_skipped_users"] == 1
        await kv.put("zoe", json.dumps({"username": "zoe", "email": "zoe@example.org"}).encode())
        await until(lambda: "zoe" in stage.kubernetes.users)
        with pytest.raises(ProviderUnavailable):
            await provider.subjects.of_username("ada")
        assert (await kv.get("ada")).value == VALUES["a comma too many"]
        told = [line for line in lines if "cannot be read" in line]
        await kv.put("ada", json.dumps({"username": "ada", "email": ADA}).encode())
        await until(lambda: not provider.readiness()["kubernetes?"])
    logger.remove(handler)
    assert [line.partition(" {")[0] for line in told] == [
        "a user is skipped: the record in storage cannot be read",
        "synchronisation with Kubernetes left something alone",
    ]
