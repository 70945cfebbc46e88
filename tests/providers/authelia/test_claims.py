# SPDX-License-Identifier: MIT
"""The bucket of claims, and what an older version left in the ledger, where it had them."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from nats.js.api import KeyValueConfig
from prometheus_client import CollectorRegistry

from app.domain.errors import IdentityLinkedElsewhere, InvalidIdentityToken
from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from providers.authelia.codes.signing import keys_of, parse_key
from providers.authelia.storage.kv import BucketOptions
from providers.authelia.storage.lookup_keys import LookupKeys
from providers.authelia.storage.moved import MovedBucket
from providers.authelia.storage.nats_bucket import Buckets
from providers.authelia.storage.records import email_key
from tests.support.authelia import signing_key
from tests.support.basics import unsigned
from tests.support.buckets import MemoryBucket, held
from tests.support.parts import caller

NEW = Address("new@example.org")
GRACE, LINUS = caller("grace.hopper"), caller("linus_t")
pytestmark = pytest.mark.usefixtures("people")


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def _ledger(js):
    return await js.create_key_value(KeyValueConfig(bucket="authelia-otp-ledger", history=1, ttl=86_400))


async def test_claims_stand_in_their_bucket_and_the_ledger_holds_what_concerns_codes(stage, js):
    async with stage.replica(stage.settings(trust_unverified_identity_tokens=True)) as provider:
        await provider.verification.send_code(NEW)
        proof = (await provider.verification.redeem(NEW, stage.mail.code(NEW))).id_token
        await provider.identities.link(GRACE, proof, f"email|{NEW}")
        await provider.identities.link(GRACE, unsigned({"sub": "github|77"}), "github|77")
    assert (await held(js, "authelia-otp-ledger")).keys() == {_hashed(NEW), "sends"}
    claims = (await held(js, "authelia-claims")).keys()
    assert {key.partition("/")[0] for key in claims} - {"sync"} == {"jti", "social"}
    config = (await js.stream_info("KV_authelia-claims")).config
    assert (config.max_msgs_per_subject, config.max_age, config.storage) == (1, 86_400, "file")


async def test_a_token_that_an_older_version_noted_as_used_is_used(stage, js):
    tokens = keys_of(parse_key(signing_key()), time.time).tokens
    proof = tokens.issue(NEW)
    note = json.dumps({"username": "grace.hopper", "state": "used"}).encode()
    await (await _ledger(js)).put(f"jti/{_hashed(tokens.check(proof).jti)}", note)
    async with stage.replica() as provider:
        with pytest.raises(InvalidIdentityToken):
            await provider.identities.link(GRACE, proof, f"email|{NEW}")


async def test_a_token_at_work_in_an_older_version_is_finished_by_the_same_account_alone(stage, js):
    tokens = keys_of(parse_key(signing_key()), time.time).tokens
    proof = tokens.issue(NEW)
    note = json.dumps({"username": "grace.hopper", "state": "at work"}).encode()
    await (await _ledger(js)).put(f"jti/{_hashed(tokens.check(proof).jti)}", note)
    async with stage.replica() as provider:
        with pytest.raises(InvalidIdentityToken):
            await provider.identities.link(LINUS, proof, f"email|{NEW}")
        await provider.identities.link(GRACE, proof, f"email|{NEW}")
        await provider.identities.unlink(GRACE, "email", NEW)
        with pytest.raises(InvalidIdentityToken):
            await provider.identities.link(GRACE, proof, f"email|{NEW}")


async def test_a_claim_that_an_older_version_made_just_now_keeps_others_away(stage, js):
    await (await _ledger(js)).put(f"social/{_hashed('github|77')}", b"ada")
    async with stage.replica(stage.settings(trust_unverified_identity_tokens=True)) as provider:
        with pytest.raises(IdentityLinkedElsewhere):
            await provider.identities.link(GRACE, unsigned({"sub": "github|77"}), "github|77")


async def test_a_key_says_whom_it_was_taken_from_and_a_removed_one_whose_it_was(js):
    client = js._nc  # noqa: SLF001 - a context gives its connection no other way
    buckets = Buckets(client, 5, UpstreamTelemetry(CollectorRegistry()))
    keys = LookupKeys(lambda: buckets.ensure(BucketOptions("authelia-users")), time.time)
    taken = await keys.point("a", "grace", 0, "ada")
    named, entry = await keys.read("a")
    assert (named, entry.revision, entry.before, await keys.stands("a", "grace")) == ("grace", taken, "ada", False)
    await keys.point("a", "grace", taken)
    assert await keys.stands("a", "grace") is True
    await keys.drop("a", (await keys.read("a"))[1])
    named, entry = await keys.read("a")
    assert (named, entry.before) == (None, "grace")


@pytest.mark.parametrize("before", ["lookup/a", "no name", "/", "é"])
async def test_what_is_no_username_in_a_header_harms_no_claim(stage, js, before):
    kv = await js.key_value("authelia-users")
    await js.publish(f"$KV.authelia-users.{email_key(NEW)}", b"", headers={"Auth-Service-Before": before})
    async with stage.replica() as provider:
        proof = keys_of(parse_key(signing_key()), time.time).tokens.issue(NEW)
        await provider.identities.link(GRACE, proof, f"email|{NEW}")
    assert (await kv.get(email_key(NEW))).value == b"grace.hopper"


async def test_what_the_predecessor_has_is_changed_here_and_not_there():
    now = [0.0]
    old, new = MemoryBucket(0, lambda: now[0]), MemoryBucket(0, lambda: now[0])
    await old.put("a", b"old", 0)
    bucket = MovedBucket(new, old)
    found = await bucket.get("a")
    assert (found.value, found.revision) == (b"old", 0)
    await bucket.put("a", b"new", found.revision)
    assert (await bucket.get("a")).value == b"new"
    await bucket.delete("a", (await bucket.get("a")).revision)
    assert (await bucket.get("a")).value is None
    assert (await old.get("a")).value == b"old"
    assert await bucket.keys() == ["a"]
