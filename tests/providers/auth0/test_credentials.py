# SPDX-License-Identifier: MIT
"""The service's own token: how it is asked for, kept and replaced."""

from __future__ import annotations

import asyncio

import pytest
from jose import jwt

from app.domain.errors import ProviderUnavailable, SearchFailed
from app.domain.users import Address
from app.http import is_ready
from tests.providers.auth0.conftest import ready, within
from tests.support.waiting import until

ADA = Address("ada@example.org")
TOKEN = "token.client_credentials"
REFUSED = "own token refused with status 401: invalid_client"


async def test_one_token_is_fetched_for_however_many_need_it(provider, tenant):
    await asyncio.gather(*(provider.directory.by_subject("auth0|ada") for _ in range(20)))
    assert tenant.records.count(TOKEN) == 1


@pytest.mark.usefixtures("provider")
async def test_the_assertion_lives_a_minute_at_most_and_names_the_tenant(tenant):
    (exchange,) = tenant.records.of(TOKEN)
    claims = jwt.get_unverified_claims(exchange.fields()["client_assertion"])
    assert claims["aud"] == f"https://{tenant.domain}/"
    assert claims["iss"] == claims["sub"] == exchange.fields()["client_id"]
    assert 0 < claims["exp"] - claims["iat"] <= 60


async def test_every_attempt_has_an_assertion_of_its_own(opened, tenant):
    tenant.faults.status(503, TOKEN, times=2)
    async with opened() as provider:
        await ready(provider)
    ids = [jwt.get_unverified_claims(e.fields()["client_assertion"])["jti"] for e in tenant.records.of(TOKEN)]
    assert len(ids) == len(set(ids)) == 3


async def test_a_token_that_is_refused_is_replaced_once(provider, tenant):
    tenant.tokens.revoke_m2m()
    assert (await provider.directory.by_primary_email(ADA)).user_id == "auth0|ada"
    assert tenant.records.count("users-by-email") == 2
    assert tenant.records.count(TOKEN) == 2


async def test_when_the_new_one_is_refused_too_that_is_the_end(provider, tenant):
    tenant.faults.status(401, "users-by-email")
    with pytest.raises(SearchFailed):
        await provider.directory.by_primary_email(ADA)
    assert tenant.records.count("users-by-email") == 2


async def test_a_token_is_not_used_in_its_last_minute(opened, tenant):
    tenant.faults.json({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}, TOKEN)
    async with opened() as provider:
        await ready(provider)
        before = tenant.records.count(TOKEN)
        with pytest.raises(SearchFailed):
            await provider.directory.by_primary_email(ADA)
        assert tenant.records.count(TOKEN) >= before + 2


async def test_a_token_is_replaced_ahead_of_its_end_by_nobody_who_waits(opened, tenant, counts):
    # Of 61 s of life one may be used, and of that the last fifth is for replacing it.
    scopes = ("read:users", "create:users", "update:users", "delete:users")
    genuine = tenant.tokens.m2m("m2m-client", tenant.tokens.management_audience, scopes)
    tenant.faults.json({"access_token": genuine, "token_type": "Bearer", "expires_in": 61}, TOKEN, times=1)
    async with opened() as provider:
        await ready(provider)
        await until(lambda: counts.refreshes["m2m_token", "ok"] >= 2)
    assert tenant.records.count(TOKEN) >= 2


async def test_the_organization_goes_along_when_there_is_one(environment, opened, tenant):
    environment.setenv("AUTH0_ORGANIZATION", "org_1")
    async with opened():
        await until(lambda: bool(tenant.records.of(TOKEN)))
    assert tenant.records.of(TOKEN)[0].fields()["organization"] == "org_1"


async def test_without_a_token_the_reply_is_the_operations_own(opened, tenant):
    tenant.faults.json({"error": "invalid_client"}, TOKEN, 401)
    async with opened() as provider:
        with pytest.raises(SearchFailed):
            await provider.directory.by_primary_email(ADA)
        await until(lambda: provider.readiness()["auth0 token"] == f"not had yet: {REFUSED}")
        assert not is_ready(provider.readiness())


async def test_a_token_that_was_had_and_cannot_be_replaced_is_shown_and_the_service_stays_ready(provider, tenant):
    tenant.faults.json({"error": "invalid_client"}, TOKEN, 401)
    tenant.tokens.revoke_m2m()
    with pytest.raises(SearchFailed):
        await provider.directory.by_primary_email(ADA)
    await until(lambda: provider.readiness()["auth0 token?"] == REFUSED)
    assert is_ready(provider.readiness())


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"access_token": 5, "expires_in": 100},
        {"access_token": "a\nb", "expires_in": 100},
        {"access_token": "a"},
    ],
)
async def test_an_answer_without_a_token_is_no_token(opened, tenant, content):
    tenant.faults.json(content, TOKEN)
    async with opened() as provider:
        within(0.5)
        with pytest.raises(ProviderUnavailable):
            await provider.directory.by_primary_email(ADA)


async def test_a_tenant_that_is_away_at_first_becomes_ready(opened, server):
    server.refuse_connections()
    async with opened() as provider:
        await asyncio.sleep(0.1)
        assert set(provider.readiness()) == {"auth0 keys", "auth0 token"}
        assert all(provider.readiness().values())
        server.refuse_connections(refuse=False)
        await ready(provider)
        assert (await provider.directory.by_primary_email(ADA)).user_id == "auth0|ada"
