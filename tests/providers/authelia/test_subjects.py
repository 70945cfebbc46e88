# SPDX-License-Identifier: MIT
"""Subject identifiers: whose they are, who loses one, and accounts that have several."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from nats.js.errors import KeyNotFoundError

from app.domain.errors import UserNotFound
from providers.authelia.storage.records import subject_key
from tests.support.authelia import populated, signing_key
from tests.support.parts import parts
from tests.support.replicas import replicas_of
from tests.support.waiting import until

SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"
OTHER = "9e107d9d-372b-4826-8bd8-1d3542a419d6"
WEB, PHONE = "authelia_at_web", "authelia_at_phone"
pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def said(stage):
    """Let Authelia say whom a token speaks for."""

    def say(token, username, subject):
        stage.userinfo.claims[token] = {"preferred_username": username, "sub": subject}

    return say


async def _record(js, username):
    return json.loads((await (await js.key_value("authelia-users")).get(username)).value)


async def _change(js, username, **fields):
    kv = await js.key_value("authelia-users")
    await kv.put(username, json.dumps({**await _record(js, username), **fields}).encode())


async def test_of_two_clients_with_two_subs_every_update_succeeds_on_three_replicas(stage, js, said):
    said(WEB, "grace.hopper", SUB)
    said(PHONE, "grace.hopper", OTHER)
    fields = ["city", "bio", "name", "country", "job_title", "address", "postal_code", "organization"]
    bodies = [{"token": (WEB, PHONE)[n % 2], "user_metadata": {fields[n // 2 % 8]: str(n)}} for n in range(80)]
    async with replicas_of(stage, 3) as three:
        events = await three.client.subscribe("lfx.user_profile.updated")
        assert await three.all_at_once("user_metadata.update", bodies) == {"success": 80}
        told = [json.loads((await events.next_msg(timeout=60)).data) for _ in range(80)]
        stored = await _record(js, "grace.hopper")
        found = await three.ask("user_metadata.read", stored["sub"])
    # Each event tells of the sub in the token that made the change.
    assert Counter(event["principal"] for event in told) == {SUB: 40, OTHER: 40}
    assert stored["user_metadata"].keys() == set(fields)
    assert stored["later"] == {"kept": True}
    assert found["data"] == stored["user_metadata"]


@pytest.mark.parametrize("spelling", [SUB, SUB.upper()])
async def test_a_sub_that_another_record_holds_moves_to_whom_authelia_says(stage, js, said, log, spelling):
    said(WEB, "ada", spelling)
    said(PHONE, "grace.hopper", SUB)
    async with stage.replica() as provider:
        await provider.callers.verify(WEB, scope="")
        assert (await provider.callers.verify(PHONE, scope="")).username == "grace.hopper"
        assert (await provider.directory.resolve(SUB)).username == "grace.hopper"
        assert (await provider.directory.resolve("ada")).user_id == "auth0|ada"
        assert (await provider.directory.resolve("auth0|ada")).username == "ada"
    assert ((await _record(js, "ada"))["sub"], (await _record(js, "grace.hopper"))["sub"]) == ("", SUB)
    assert len([line for line in log if line.startswith("WARNING a subject identifier was taken")]) == 1
    assert SUB not in "".join(log)


async def test_of_two_records_with_one_sub_the_one_of_the_lookup_key_keeps_it(stage, js):
    kv = await js.key_value("authelia-users")
    await _change(js, "ada", sub=SUB)
    await kv.put(subject_key(SUB), b"grace.hopper")
    await _change(js, "grace.hopper", sub=SUB)
    async with stage.replica() as provider:
        await until(lambda: not provider.readiness()["kubernetes?"])
        assert (await provider.directory.resolve("ada")).user_id == "auth0|ada"
        assert (await provider.directory.resolve(SUB)).username == "grace.hopper"


@pytest.mark.parametrize("stored", [SUB, SUB.upper()])
@pytest.mark.parametrize("asked", [SUB, SUB.upper(), SUB.title()])
async def test_a_sub_is_found_in_any_case(stage, said, stored, asked):
    said(WEB, "ada", stored)
    async with stage.replica() as provider:
        await provider.callers.verify(WEB, scope="")
        assert (await provider.directory.resolve(asked)).username == "ada"


async def test_a_derived_sub_is_found_in_any_case_and_the_very_one_goes_first(stage):
    async with stage.replica() as provider:
        await until(lambda: not provider.readiness()["kubernetes?"])
        found = {s: (await provider.directory.resolve(s)).username for s in ("auth0|Ada", "auth0|ada", "AUTH0|LINUS_T")}
    assert found == {"auth0|Ada": "Ada", "auth0|ada": "ada", "AUTH0|LINUS_T": "linus_t"}


async def test_users_whose_subs_differ_by_case_alone_take_nothing_from_each_other(stage, js, said, log):
    said(WEB, "ada", "auth0|ada")
    said(PHONE, "Ada", "auth0|Ada")
    async with stage.replica() as provider:
        for token in (WEB, PHONE, WEB):
            await provider.callers.verify(token, scope="")
    assert ((await _record(js, "ada"))["sub"], (await _record(js, "Ada"))["sub"]) == ("auth0|ada", "auth0|Ada")
    assert not any("taken" in line for line in log)


@pytest.mark.parametrize("pointed", ["ada", "gone"])
async def test_a_sub_lookup_that_lies_is_removed_when_it_is_read(js, pointed):
    kv = await js.key_value("authelia-users")
    await kv.put(subject_key(SUB), pointed.encode())
    # For a minute somebody may be about to store that sub.
    assert await (await parts(js._nc, signing_key(), later=30)).users.subjects.owner(SUB) is None  # noqa: SLF001 - see above
    assert (await kv.get(subject_key(SUB))).value == pointed.encode()
    assert await (await parts(js._nc, signing_key(), later=61)).users.subjects.owner(SUB) is None  # noqa: SLF001 - see above
    with pytest.raises(KeyNotFoundError):
        await kv.get(subject_key(SUB))


async def test_in_a_full_bucket_an_account_is_still_its_username(stage, js, said):
    info = await js.stream_info("KV_authelia-users")
    info.config.max_bytes = info.state.bytes + 10
    await js.update_stream(info.config)
    said(WEB, "ada", SUB)
    async with stage.replica() as provider:
        caller = await provider.callers.verify(WEB, scope="")
        assert (caller.username, caller.subject) == ("ada", SUB)
        assert (await provider.directory.resolve(WEB)).primary_email == "ada@example.org"
        with pytest.raises(UserNotFound):
            await provider.directory.resolve(SUB)


async def test_a_user_without_a_stored_sub_is_found_by_the_derived_one(stage, js):
    await populated(js)
    async with stage.replica() as provider:
        assert (await provider.directory.resolve("auth0|grace.hopper")).username == "grace.hopper"
