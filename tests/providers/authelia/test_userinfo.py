# SPDX-License-Identifier: MIT
"""Whom a token speaks for, and userinfo endpoints that fail."""

from __future__ import annotations

import json

import pytest

from app.domain.errors import InvalidToken, ProviderUnavailable, TokenOfClient, UserNotFound
from tests.support.waiting import time_left

TOKEN = "authelia_at_x"
SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"
pytestmark = pytest.mark.usefixtures("people")


async def _stored(js, username="ada"):
    return json.loads((await (await js.key_value("authelia-users")).get(username)).value)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_is_an_invalid_token(stage, status):
    stage.userinfo.fault = status
    async with stage.replica() as provider:
        with pytest.raises(InvalidToken) as refused:
            await provider.callers.verify(TOKEN, scope="")
    assert type(refused.value) is InvalidToken


async def test_a_client_token_is_told_from_others(stage):
    stage.userinfo.client_tokens.add(TOKEN)
    async with stage.replica() as provider:
        with pytest.raises(TokenOfClient):
            await provider.callers.verify(TOKEN, scope="")


@pytest.mark.parametrize("fault", [500, 502, 503, 404, 204, "hang", "drip", "redirect", "garbage", "endless", "list"])
async def test_an_outage_is_no_verdict_and_changes_nothing(stage, js, fault):
    stage.userinfo.fault = fault
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": SUB}
    async with stage.replica() as provider:
        time_left(1.2)
        with pytest.raises(ProviderUnavailable):
            await provider.callers.verify(TOKEN, scope="")
    assert "sub" not in await _stored(js)


async def test_a_redirect_is_not_followed(stage):
    stage.userinfo.fault = "redirect"
    async with stage.replica() as provider:
        time_left(0.8)
        with pytest.raises(ProviderUnavailable):
            await provider.callers.verify(TOKEN, scope="")
    assert set(stage.userinfo.paths) == {"/api/oidc/userinfo"}


async def test_a_short_outage_is_not_noticed(stage):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": SUB}
    stage.userinfo.faults = [503, "garbage"]
    async with stage.replica() as provider:
        time_left(10)
        assert (await provider.callers.verify(TOKEN, scope="")).subject == SUB
    assert len(stage.userinfo.asked) == 3


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_an_attempt_without_an_end_leaves_time_for_another(stage, fault):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": SUB}
    stage.userinfo.faults = [fault]
    async with stage.replica() as provider:
        time_left(30)
        assert (await provider.callers.verify(TOKEN, scope="")).subject == SUB
    assert len(stage.userinfo.asked) == 2


async def test_an_endpoint_that_is_away(stage):
    async with stage.replica(stage.settings(userinfo_url="http://127.0.0.1:1/userinfo")) as provider:
        time_left(0.8)
        with pytest.raises(ProviderUnavailable):
            await provider.callers.verify(TOKEN, scope="")


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({}, InvalidToken),
        ({"preferred_username": " "}, InvalidToken),
        ({"preferred_username": 5}, InvalidToken),
        ({"preferred_username": "nobody"}, UserNotFound),
        ({"preferred_username": "łukasz"}, UserNotFound),
        ({"preferred_username": "lookup/authelia-users/email/x"}, UserNotFound),
    ],
)
async def test_claims_that_name_nobody(stage, claims, error):
    stage.userinfo.claims[TOKEN] = claims
    async with stage.replica() as provider:
        with pytest.raises(error):
            await provider.callers.verify(TOKEN, scope="")


async def test_the_answer_is_not_cached(stage):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada"}
    async with stage.replica() as provider:
        await provider.callers.verify(TOKEN, scope="")
        await provider.callers.verify(TOKEN, scope="")
    assert stage.userinfo.asked == [TOKEN, TOKEN]


@pytest.mark.parametrize("token", ["authelia_at_\r\nX-Other: 1", "authelia_at_\u00e9", "authelia_at_" + "x" * 5000])
async def test_what_cannot_be_a_token_is_not_sent(stage, token):
    async with stage.replica() as provider:
        with pytest.raises(InvalidToken):
            await provider.callers.verify(token, scope="")
    assert stage.userinfo.asked == []


async def test_the_sub_that_authelia_gives_is_stored_and_finds_the_user(stage):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": SUB}
    async with stage.replica() as provider:
        assert (await provider.callers.verify(TOKEN, scope="")).subject == SUB
        assert (await provider.directory.resolve(SUB)).username == "ada"
        assert await provider.subjects.of_username("ada") == SUB


async def test_another_sub_takes_the_place_of_the_one_before(stage):
    async with stage.replica() as provider:
        for subject in (SUB, "9e107d9d-372b-4826-8bd8-1d3542a419d6"):
            stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": subject}
            await provider.callers.verify(TOKEN, scope="")
        with pytest.raises(UserNotFound):
            await provider.directory.resolve(SUB)
        found = await provider.directory.resolve("9e107d9d-372b-4826-8bd8-1d3542a419d6")
    assert found.username == "ada"


@pytest.mark.parametrize("name", ["a" * 60_000, "a." * 30_000 + "a"], ids=["letters", "labels"])
async def test_a_name_longer_than_any_is_nobodys_without_a_question_to_storage(stage, name):
    stage.userinfo.claims[TOKEN] = {"preferred_username": name, "sub": SUB}
    async with stage.replica() as provider:
        with pytest.raises(UserNotFound):
            await provider.callers.verify(TOKEN, scope="")
        assert provider.measurements()["auth_service_kv_errors_total"] == 0


@pytest.mark.parametrize(("length", "stored"), [(512, True), (513, False), (60_000, False)])
async def test_a_sub_longer_than_any_is_not_stored(stage, js, length, stored):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": "s" * length}
    async with stage.replica() as provider:
        caller = await provider.callers.verify(TOKEN, scope="")
    assert caller.subject == ("s" * length if stored else "auth0|ada")
    assert ("sub" in await _stored(js)) is stored
