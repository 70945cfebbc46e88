# SPDX-License-Identifier: MIT
"""Two replicas on one NATS server, and replicas that die at any step."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from app.domain.errors import IdentityLinkedElsewhere, WrongCode
from app.domain.tokens import Caller
from app.domain.users import Address
from app.runtime.upstream import UpstreamTelemetry
from providers.authelia import records
from providers.authelia.kv import BucketOptions, Buckets
from providers.authelia.signing import SigningKey
from providers.authelia.storage import AddressHeld, Users
from tests.support.authelia import populated
from tests.support.people import grace, linus

NEW = Address("new@example.org")


def _caller(person) -> Caller:
    return Caller(person.subject, SecretStr("x"))


async def _bucket(js, name="authelia-users"):
    buckets = Buckets(js._nc, 5, UpstreamTelemetry(CollectorRegistry()))  # noqa: SLF001 - nats-py gives the connection of a context no other way
    return await buckets.ensure(BucketOptions(name, history=5))


async def _users(js, lease_now=None) -> Users:
    bucket = await _bucket(js)

    async def opened():
        return bucket

    return Users(opened, lambda: 1_900_000_000.0, **({"lease_now": lease_now} if lease_now else {}))


@pytest.mark.usefixtures("people")
async def test_changes_of_different_fields_at_once_are_all_there(js, stage):
    settings = stage.settings()
    async with stage.replica(settings) as one, stage.replica(settings) as two:
        await asyncio.gather(
            *(
                provider.profiles.update_metadata(_caller(grace), {field: "x"})
                for provider, field in zip([one, two] * 4, ["city", "bio", "name", "country"] * 2, strict=True)
            )
        )
    kv = await js.key_value("authelia-users")
    stored = json.loads((await kv.get("grace.hopper")).value)
    assert stored["user_metadata"] == {"city": "x", "bio": "x", "name": "x", "country": "x"}
    assert stored["later"] == {"kept": True}


@pytest.mark.usefixtures("people")
async def test_of_fifty_wrong_codes_at_once_five_are_compared(stage):
    settings = stage.settings()
    async with stage.replica(settings) as one, stage.replica(settings) as two:
        await one.verification.send_code(NEW)
        wrong = "000000" if stage.mail.code(NEW) != "000000" else "111111"
        guesses = [replica.verification.redeem(NEW, wrong) for replica in [one, two] * 25]
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(outcome, WrongCode) for outcome in outcomes) == 5


@pytest.mark.usefixtures("people")
async def test_of_fifty_right_codes_at_once_one_succeeds(stage):
    settings = stage.settings()
    async with stage.replica(settings) as one, stage.replica(settings) as two:
        await one.verification.send_code(NEW)
        code = stage.mail.code(NEW)
        outcomes = await asyncio.gather(
            *(replica.verification.redeem(NEW, code) for replica in [one, two] * 25), return_exceptions=True
        )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_a_thousand_claims_of_one_address_have_one_owner(js):
    await populated(js, ())
    users = await _users(js)
    outcomes = await asyncio.gather(*(users.claim(f"u{n}", NEW) for n in range(1000)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} == {type(None), AddressHeld}


async def test_two_that_start_on_an_empty_bucket_have_one_key(js):
    bucket = await _bucket(js, "authelia-signing-key")

    async def opened():
        return bucket

    one, two = (SigningKey(None, opened, lambda: 1_900_000_000.0) for _ in range(2))
    keys = await asyncio.gather(one.keys(), two.keys())
    assert keys[0].code_key == keys[1].code_key
    assert keys[1].tokens.check(keys[0].tokens.issue(NEW)).address == NEW


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """A bucket whose process dies before the step of that number."""

    def __init__(self, bucket, steps: int) -> None:
        self.bucket, self.left = bucket, steps

    async def get(self, key):
        return await self.bucket.get(key)

    async def keys(self):
        return await self.bucket.keys()

    async def put(self, *args):
        self._step()
        return await self.bucket.put(*args)

    async def delete(self, *args):
        self._step()
        return await self.bucket.delete(*args)

    def _step(self) -> None:
        if not self.left:
            raise Killed
        self.left -= 1


async def _link_and_die(js, steps: int) -> bool:
    """Claim and add the address for Grace; whether the process died on the way."""
    dying = Dying(await _bucket(js), steps)

    async def opened():
        return dying

    users = Users(opened, lambda: 1_900_000_000.0)
    try:
        await users.claim("grace.hopper", NEW)
        await users.change("grace.hopper", lambda old: records.with_verified(old, NEW))
    except Killed:
        return True
    return False


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.usefixtures("people")
async def test_who_was_killed_while_linking_can_link_at_once(js, stage, steps):
    assert await _link_and_die(js, steps) is (steps < 2)
    async with stage.replica() as provider:
        await provider.verification.send_code(NEW)
        token = (await provider.verification.redeem(NEW, stage.mail.code(NEW))).id_token
        await provider.identities.link(_caller(grace), token, f"email|{NEW}")
        assert (await provider.directory.by_alternate_email(NEW)).username == "grace.hopper"


@pytest.mark.parametrize(("seconds", "free"), [(30, False), (61, True)])
@pytest.mark.usefixtures("people")
async def test_a_claim_without_owner_keeps_a_newcomer_away_for_a_minute(js, seconds, free):
    assert await _link_and_die(js, 1)
    users = await _users(js, lease_now=lambda: time.time() + seconds)
    assert await users.holder(NEW) is None
    try:
        await users.claim("ada", NEW)
    except AddressHeld:
        assert not free
    else:
        assert free


@pytest.mark.usefixtures("people")
async def test_the_loser_of_a_claim_that_was_taken_over_loses_the_entry_again(js):
    late = await _users(js, lease_now=lambda: time.time() + 61)
    users = await _users(js)
    await users.claim("grace.hopper", NEW)
    await late.claim("ada", NEW)
    await users.change("grace.hopper", lambda old: records.with_verified(old, NEW))
    assert await users.confirm("grace.hopper", NEW) is False
    assert NEW not in records.held(await users.get("grace.hopper"))


@pytest.mark.usefixtures("people")
async def test_killed_between_record_and_lookup_an_unlinked_address_is_free(js):
    users = await _users(js)
    await users.change("ada", lambda old: records.without_alternate(old, Address("ada@lovelace.example")))
    assert await users.holder(Address("ada@lovelace.example")) is None


@pytest.mark.usefixtures("people")
async def test_one_address_and_two_accounts_with_a_proof_each(stage):
    settings = stage.settings()
    async with stage.replica(settings) as one, stage.replica(settings) as two:
        tokens = []
        for _ in range(2):
            await one.verification.send_code(NEW)
            tokens.append((await one.verification.redeem(NEW, stage.mail.code(NEW))).id_token)
        outcomes = await asyncio.gather(
            one.identities.link(_caller(grace), tokens[0], f"email|{NEW}"),
            two.identities.link(_caller(linus), tokens[1], f"email|{NEW}"),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes if outcome] == [IdentityLinkedElsewhere]
