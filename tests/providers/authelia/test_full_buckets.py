# SPDX-License-Identifier: MIT
"""Buckets that are full: each answers as it is said, and what one caller fills is not felt by others."""

from __future__ import annotations

import asyncio
import json

import pytest
from nats.errors import Error
from nats.js.api import KeyValueConfig

from app.domain.errors import ProviderUnavailable, VerificationMailFailed, WrongCode
from app.domain.users import Address
from tests.support.authelia import PEOPLE, populated, users_file
from tests.support.basics import unsigned
from tests.support.parts import caller
from tests.support.replicas import replicas_of
from tests.support.waiting import time_left, until

NEW = Address("new@example.org")
GRACE = caller("grace.hopper")
LEDGER, CODES, CLAIMS, USERS = "authelia-otp-ledger", "authelia-email-otp", "authelia-claims", "authelia-users"
FULL = "failed to send verification email"


async def _bounded(js, bucket, max_bytes):
    return await js.create_key_value(KeyValueConfig(bucket=bucket, history=1, max_bytes=max_bytes))


async def _fill(js, bucket):
    """Fill a bucket that has a bound to its last byte."""
    kv = await js.key_value(bucket)
    number, size = 0, 4096
    while size:
        try:
            await kv.put(f"filling/{number}", b"x" * size)
            number += 1
        except Error:
            size //= 2


async def _ready(provider):
    await until(lambda: not any(provider.readiness().values()))


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("bucket", [LEDGER, CODES])
async def test_whoever_fills_the_bucket_with_sends_stops_new_sends_and_nothing_else(stage, js, bucket):
    await _bounded(js, bucket, 64 * 1024)
    async with replicas_of(stage, 3, max_codes_per_hour=100_000) as three:
        assert (await three.ask("email_linking.send_verification", NEW))["success"]
        addresses = [f"somebody-{number}@example.org" for number in range(400)]
        found = await three.all_at_once("email_linking.send_verification", addresses)
        assert found.keys() == {"success", FULL}
        assert found["success"] > 100
        code = stage.mail.code(NEW)
        wrong = {"email": NEW, "otp": "000000" if code != "000000" else "111111"}
        assert (await three.ask("email_linking.verify", wrong))["error"] == "invalid verification code"
        assert (await three.ask("email_linking.verify", {"email": NEW, "otp": code}))["success"]
        for mail in stage.mail.mails[1:20]:
            [address] = mail.recipients
            body = {"email": address, "otp": stage.mail.code(address)}
            assert (await three.ask("email_linking.verify", body))["success"]
        await _a_new_user_reaches_the_users_file(stage, js)


async def _a_new_user_reaches_the_users_file(stage, js):
    kv = await js.key_value(USERS)
    record = {"username": "newcomer", "email": "newcomer@example.org", "displayname": "newcomer"}
    await kv.put("newcomer", json.dumps(record).encode())
    await until(lambda: stage.kubernetes.restarts and "newcomer" in stage.kubernetes.users)


@pytest.mark.usefixtures("people")
async def test_in_a_ledger_without_a_byte_left_a_code_still_works_and_takes_five_guesses(stage, js):
    await _bounded(js, LEDGER, 64 * 1024)
    async with stage.replica() as provider:
        time_left(20)
        await provider.verification.send_code(NEW)
        await provider.verification.send_code(Address("other@example.org"))
        await _fill(js, LEDGER)
        code = stage.mail.code(NEW)
        assert (await provider.verification.redeem(NEW, code)).id_token
        code = stage.mail.code("other@example.org")
        wrong = "000000" if code != "000000" else "111111"
        for _ in range(5):
            with pytest.raises(WrongCode):
                await provider.verification.redeem(Address("other@example.org"), wrong)
        with pytest.raises(Exception, match="too many attempts, request a new code"):
            await provider.verification.redeem(Address("other@example.org"), code)
        with pytest.raises(VerificationMailFailed):
            await provider.verification.send_code(NEW)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("bucket", [CODES, LEDGER])
async def test_a_full_bucket_of_codes_is_a_clean_error(js, stage, bucket):
    await _bounded(js, bucket, 64)
    async with stage.replica() as provider:
        time_left(10)
        with pytest.raises(VerificationMailFailed):
            await provider.verification.send_code(NEW)
    assert stage.mail.mails == []


async def test_full_claims_refuse_links_and_leave_everything_else(stage, js):
    await populated(js)
    await _bounded(js, CLAIMS, 64 * 1024)
    settings = stage.settings(trust_unverified_identity_tokens=True)
    async with stage.replica(settings) as provider:
        await _ready(provider)

        async def link_and_unlink(number: int) -> None:
            subject = f"github|{number}"
            await provider.identities.link(GRACE, unsigned({"sub": subject}), subject)
            await provider.identities.unlink(GRACE, "github", str(number))

        outcomes = []
        for start in range(0, 600, 40):
            batch = (link_and_unlink(number) for number in range(start, start + 40))
            outcomes += await asyncio.gather(*batch, return_exceptions=True)
        refused = [outcome for outcome in outcomes if outcome is not None]
        assert 100 < len(refused) < 500
        assert {str(error) for error in refused} == {"identity provider unavailable"}
        await provider.verification.send_code(NEW)
        proof = (await provider.verification.redeem(NEW, stage.mail.code(NEW))).id_token
        with pytest.raises(ProviderUnavailable):
            await provider.identities.link(GRACE, proof, f"email|{NEW}")
        assert await provider.directory.resolve("grace.hopper")
        await provider.profiles.update_metadata(GRACE, {"city": "Oslo"})
        await _a_new_user_reaches_the_users_file(stage, js)


async def test_a_full_bucket_of_users_refuses_changes_and_changes_nothing(js, stage):
    await populated(js)
    extra = "  newcomer: {displayname: Newcomer, password: x, email: newcomer@example.org}\n"
    stage.kubernetes.file = users_file(PEOPLE[1:]) + extra
    info = await js.stream_info(f"KV_{USERS}")
    info.config.max_bytes = info.state.bytes + 10
    await js.update_stream(info.config)
    async with stage.replica() as provider:
        time_left(10)
        with pytest.raises(ProviderUnavailable):
            await provider.profiles.update_metadata(GRACE, {"bio": "x" * 500})
        assert (await provider.directory.by_username("grace.hopper")).user_metadata == {}
        # What is stored still reaches Authelia, and who is not stored stays in its file.
        await until(lambda: PEOPLE[0].username in stage.kubernetes.users and not any(provider.readiness().values()))
        assert stage.kubernetes.users["newcomer"]["email"] == "newcomer@example.org"


@pytest.mark.usefixtures("people")
async def test_a_link_for_which_there_is_no_room_leaves_the_token_to_others(stage, js):
    async with stage.replica() as provider:
        await _ready(provider)
        time_left(30)
        await provider.verification.send_code(NEW)
        proof = (await provider.verification.redeem(NEW, stage.mail.code(NEW))).id_token
        info = await js.stream_info(f"KV_{USERS}")
        info.config.max_bytes = info.state.bytes + 10
        await js.update_stream(info.config)
        with pytest.raises(ProviderUnavailable):
            await provider.identities.link(GRACE, proof, f"email|{NEW}")
        info.config.max_bytes = -1
        await js.update_stream(info.config)
        await provider.identities.link(caller("ada"), proof, f"email|{NEW}")
        assert (await provider.directory.by_email(NEW)).username == "ada"
