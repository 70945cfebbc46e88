# SPDX-License-Identifier: MIT
"""Two replicas of the service on one NATS server, asked over the bus; who answers is the server's choice."""

from __future__ import annotations

import asyncio
import json
import time

import bcrypt
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from providers.authelia.codes.signing import SigningKey, keys_of, parse_key
from providers.authelia.storage.kv import BucketOptions
from providers.authelia.storage.nats_bucket import Buckets
from providers.authelia.storage.records import email_key
from tests.stand_ins.kubernetes import CONFIGMAP, SECRET
from tests.support.authelia import PEOPLE, populated, signing_key, users_file
from tests.support.people import grace
from tests.support.raw_client import connect
from tests.support.replicas import replicas_of
from tests.support.waiting import until

NEW = "new@example.org"
TOKEN = "authelia_at_grace"


@pytest_asyncio.fixture
async def replicas(stage, js):  # noqa: ARG001 - the buckets are emptied first
    stage.userinfo.claims[TOKEN] = {"preferred_username": "grace.hopper", "sub": grace.subject}
    async with replicas_of(stage, 2) as two:
        yield two


async def _code(stage, replicas) -> str:
    assert (await replicas.ask("email_linking.send_verification", NEW))["success"]
    return stage.mail.code(NEW)


@pytest.mark.usefixtures("people")
async def test_of_fifty_wrong_codes_at_once_five_are_compared(stage, replicas):
    wrong = "000000" if await _code(stage, replicas) != "000000" else "111111"
    found = await replicas.all_at_once("email_linking.verify", [{"email": NEW, "otp": wrong}] * 50)
    assert found == {"invalid verification code": 5, "too many attempts, request a new code": 45}


@pytest.mark.usefixtures("people")
async def test_of_fifty_right_codes_at_once_one_succeeds(stage, replicas):
    code = await _code(stage, replicas)
    found = await replicas.all_at_once("email_linking.verify", [{"email": NEW, "otp": code}] * 50)
    assert found["success"] == 1
    assert found.keys() <= {
        "success",
        "verification code not found or expired",
        "too many attempts, request a new code",
    }


@pytest.mark.usefixtures("people")
async def test_changes_of_different_fields_at_once_are_all_there(js, replicas):
    fields = ["city", "bio", "name", "country", "job_title", "address", "postal_code", "organization"]
    bodies = [{"token": TOKEN, "user_metadata": {field: "x"}} for field in fields]
    assert await replicas.all_at_once("user_metadata.update", bodies * 3) == {"success": 24}
    stored = json.loads((await (await js.key_value("authelia-users")).get("grace.hopper")).value)
    assert stored["user_metadata"] == dict.fromkeys(fields, "x")
    assert stored["later"] == {"kept": True}


THOUSAND = [f"u{number}" for number in range(1000)]


@pytest_asyncio.fixture
async def thousand(stage, js):
    """A thousand accounts, in storage and in Authelia's file."""
    await populated(js, ())
    kv = await js.key_value("authelia-users")
    entries = []
    for name in THOUSAND:
        record = {"username": name, "email": f"{name}@example.org", "displayname": name}
        await kv.put(name, json.dumps(record).encode())
        stage.userinfo.claims[f"authelia_at_{name}"] = {"preferred_username": name}
        entries.append(f"  {name}: {{displayname: {name}, password: x, email: {name}@example.org}}\n")
    stage.kubernetes.file = "users:\n" + "".join(entries)
    return kv


async def test_a_thousand_claims_of_one_address_by_as_many_accounts_have_one_owner(thousand, replicas):
    tokens = keys_of(parse_key(signing_key()), time.time).tokens
    bodies = [
        {
            "user": {"auth_token": f"authelia_at_{name}"},
            "link_with": {"identity_token": tokens.issue(Address(NEW))},
        }
        for name in THOUSAND
    ]
    found = await replicas.all_at_once("user_identity.link", bodies)
    assert found == {"success": 1, "identity already linked to another user": 999}
    owner = (await thousand.get(email_key(NEW))).value.decode()
    records = {name: json.loads((await thousand.get(name)).value) for name in THOUSAND}
    assert [name for name, record in records.items() if record.get("alternate_email")] == [owner]


@pytest.mark.usefixtures("js")
async def test_one_proof_used_twice_at_once_links_once(stage, js, replicas):
    await populated(js)
    stage.userinfo.claims["authelia_at_linus"] = {"preferred_username": "linus_t"}
    proof = keys_of(parse_key(signing_key()), time.time).tokens.issue(Address(NEW))
    bodies = [
        {"user": {"auth_token": token}, "link_with": {"identity_token": proof}}
        for token in (TOKEN, "authelia_at_linus") * 10
    ]
    replies = await asyncio.gather(*(replicas.ask("user_identity.link", body) for body in bodies))
    kv = await js.key_value("authelia-users")
    records = [json.loads((await kv.get(name)).value) for name in ("grace.hopper", "linus_t")]
    holders = [r["username"] for r in records if any(a["email"] == NEW for a in r["alternate_email"])]
    # The one that links is answered so every time, as if it had asked for it once after the other.
    ours, theirs = replies[::2], replies[1::2]
    linked, refused = (ours, theirs) if holders == ["grace.hopper"] else (theirs, ours)
    assert len(holders) == 1
    assert [reply["success"] for reply in linked + refused] == [True] * 10 + [False] * 10


async def test_two_that_start_on_an_empty_bucket_have_one_key(stage, js):
    clients = [await connect(stage.url) for _ in range(2)]

    def opener(client):
        async def opened():
            return await Buckets(client, 5, UpstreamTelemetry(CollectorRegistry())).ensure(
                BucketOptions("authelia-signing-key")
            )

        return opened

    one, two = (SigningKey(None, opener(client), time.time) for client in clients)
    keys = await asyncio.gather(one.keys(), two.keys())
    for client in clients:
        await client.close()
    assert keys[0].code_key == keys[1].code_key
    assert keys[1].tokens.check(keys[0].tokens.issue(Address(NEW))).address == NEW
    assert (await js.stream_info("KV_authelia-signing-key")).state.last_seq == 1


@pytest.mark.usefixtures("people")
async def test_both_synchronise_and_there_is_one_password_and_one_restart(stage, replicas):
    """A user comes into storage while both are up: both hear of it, and both set out to do the same."""
    await _add(replicas, "newcomer")
    await until(lambda: stage.kubernetes.restarts and "newcomer" in stage.kubernetes.users)
    await _both_have_gone_round(replicas)
    password, hashed = stage.kubernetes.password("newcomer"), stage.kubernetes.users["newcomer"]["password"]
    assert bcrypt.checkpw(password.encode(), hashed.encode())
    assert hashed.startswith("$2b$12$")
    assert stage.kubernetes.count("update", SECRET) == 1
    assert stage.kubernetes.count("update", CONFIGMAP) == 1
    assert stage.kubernetes.restarts == 1


@pytest.mark.usefixtures("people")
async def test_both_start_at_once_and_there_is_one_password_each_and_one_restart(stage, js):  # noqa: ARG001 - emptied first
    stage.kubernetes.file = users_file(PEOPLE[2:])
    async with stage.replica() as one, stage.replica() as two:
        await until(lambda: not one.readiness()["kubernetes?"] and not two.readiness()["kubernetes?"])
    for person in PEOPLE[:2]:
        password = stage.kubernetes.password(person.username)
        assert bcrypt.checkpw(password.encode(), stage.kubernetes.users[person.username]["password"].encode())
    assert stage.kubernetes.count("update", SECRET) == 1
    assert stage.kubernetes.restarts == stage.kubernetes.count("update", CONFIGMAP) == 1


async def _add(replicas, username) -> None:
    kv = await replicas.client.jetstream().key_value("authelia-users")
    record = {"username": username, "email": f"{username}@example.org", "displayname": username}
    await kv.put(username, json.dumps(record).encode())


async def _both_have_gone_round(replicas) -> None:
    def settled():
        return all(p.measurements()["auth_service_sync_pending_changes"] == 0 for p in replicas.providers)

    await until(settled)
