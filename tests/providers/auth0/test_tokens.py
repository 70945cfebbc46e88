# SPDX-License-Identifier: MIT
"""Which tokens of callers are taken, and which are refused how."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.domain.errors import (
    InvalidAudience,
    InvalidIssuer,
    InvalidToken,
    MissingScope,
    ProviderUnavailable,
    ServiceError,
    TokenExpired,
)
from app.domain.tokens import UPDATE_IDENTITIES, UPDATE_METADATA
from tests.providers.auth0.conftest import within
from tests.stand_ins.auth0.keys import compact

_OTHER_ERRORS = {
    "another issuer": InvalidIssuer,
    "the issuer without slash": InvalidIssuer,
    "no issuer": InvalidIssuer,
    "an ID token": InvalidAudience,
    "another audience": InvalidAudience,
    "no audience": InvalidAudience,
    "the client as audience": InvalidAudience,
}


async def test_a_genuine_token_tells_who_calls(provider, tenant):
    token = tenant.access_token("ada")
    caller = await provider.callers.verify(token, scope=UPDATE_METADATA)
    assert (caller.subject, caller.token.get_secret_value()) == ("auth0|ada", token)


async def test_every_attack_is_refused(provider, tenant):
    answers = {}
    for name, token in tenant.attacks("ada").items():
        try:
            await provider.callers.verify(token, scope=UPDATE_METADATA)
            answers[name] = None
        except ServiceError as error:
            answers[name] = type(error)
    assert len(answers) >= 30
    assert {name: error for name, error in answers.items() if error is not _OTHER_ERRORS.get(name, InvalidToken)} == {}


@pytest.mark.parametrize(
    "text", ["auth0|ada", "ada", "", ".", "..", "a.b.c", "e30.e30.e30", "Bearer x", "x" * 20_000, "łąka.ć.ń"]
)
async def test_what_is_no_token_is_invalid_without_a_call(provider, tenant, text):
    calls = tenant.records.count("*")
    with pytest.raises(InvalidToken):
        await provider.callers.verify(text, scope=UPDATE_METADATA)
    assert tenant.records.count("*") == calls


async def test_a_token_longer_than_16_kib_is_not_looked_at(provider, tenant):
    token = tenant.access_token("ada", more="x" * 13_000)
    assert len(token) > 16 * 1024
    with pytest.raises(InvalidToken):
        await provider.callers.verify(token, scope=UPDATE_METADATA)


async def test_an_audience_may_be_one_of_a_list(provider, tenant):
    audience = [tenant.tokens.management_audience, f"https://{tenant.domain}/userinfo"]
    token = tenant.access_token("ada", aud=audience)
    assert (await provider.callers.verify(token, scope=UPDATE_METADATA)).subject == "auth0|ada"


async def test_a_scope_is_a_whole_word(provider, tenant):
    token = tenant.access_token("ada", [UPDATE_METADATA + "s", "x" + UPDATE_METADATA])
    with pytest.raises(MissingScope):
        await provider.callers.verify(token, scope=UPDATE_METADATA)


async def test_a_token_may_be_remembered_but_not_its_scopes(provider, tenant):
    token = tenant.access_token("ada", [UPDATE_METADATA])
    await provider.callers.verify(token, scope=UPDATE_METADATA)
    with pytest.raises(MissingScope):
        await provider.callers.verify(token, scope=UPDATE_IDENTITIES)


@pytest.mark.parametrize(("ago", "taken"), [(29, True), (31, False)])
async def test_an_expired_token_is_taken_for_as_long_as_clocks_may_differ(provider, tenant, ago, taken):
    token = tenant.access_token("ada", exp=int(time.time()) - ago)
    if taken:
        await provider.callers.verify(token, scope=UPDATE_METADATA)
    else:
        with pytest.raises(TokenExpired):
            await provider.callers.verify(token, scope=UPDATE_METADATA)


@pytest.mark.parametrize(("ahead", "taken"), [(29, True), (32, False)])
async def test_a_token_that_is_not_valid_yet_is_taken_as_early_as_clocks_may_differ(provider, tenant, ahead, taken):
    token = tenant.access_token("ada", nbf=int(time.time()) + ahead)
    if taken:
        await provider.callers.verify(token, scope=UPDATE_METADATA)
    else:
        with pytest.raises(InvalidToken):
            await provider.callers.verify(token, scope=UPDATE_METADATA)


async def test_the_first_fault_in_the_order_of_the_checks_is_told(provider, tenant):
    issuer, audience = "https://attacker.example/", "https://api.example/"
    expired = int(time.time()) - 3600
    cases = (
        (TokenExpired, {"exp": expired, "iss": issuer, "aud": audience}),
        (InvalidIssuer, {"iss": issuer, "aud": audience}),
        (InvalidAudience, {"aud": audience}),
        (MissingScope, {}),
    )
    for error, claims in cases:
        with pytest.raises(error):
            await provider.callers.verify(tenant.access_token("ada", [], **claims), scope=UPDATE_METADATA)


async def test_a_new_key_is_fetched_when_a_token_names_it(provider, tenant, later):
    later.by = 31
    tenant.tokens.keys.rotate()
    caller = await provider.callers.verify(tenant.access_token("ada"), scope=UPDATE_METADATA)
    assert caller.subject == "auth0|ada"
    assert tenant.records.count("jwks") == 2


@pytest.mark.usefixtures("has_time")
async def test_ten_thousand_unknown_keys_cost_one_fetch(provider, tenant, later):
    later.by = 31
    good = tenant.tokens.keys.current
    claims = {"sub": "auth0|ada", "exp": int(time.time()) + 60}
    token = good.sign(claims, kid="KID0000")
    _, body, signature = token.split(".")

    def other(number: int) -> str:
        return f"{compact({'alg': 'RS256', 'kid': f'kid-{number}'}, {}).split('.')[0]}.{body}.{signature}"

    async def refused(number: int) -> bool:
        try:
            await provider.callers.verify(other(number), scope=UPDATE_METADATA)
        except InvalidToken:
            return True
        return False

    for first in range(0, 10_000, 250):
        assert all(await asyncio.gather(*(refused(number) for number in range(first, first + 250))))
    assert tenant.records.count("jwks") == 2


async def test_known_keys_go_on_working_while_the_tenant_is_away(provider, server):
    token = server.tenant.access_token("ada")
    server.refuse_connections()
    assert (await provider.callers.verify(token, scope=UPDATE_METADATA)).subject == "auth0|ada"


async def test_an_unknown_key_cannot_be_judged_while_the_tenant_is_away(provider, server, later):
    later.by = 31
    server.tenant.tokens.keys.rotate()
    server.refuse_connections()
    for _ in range(2):
        within(1.0)
        with pytest.raises(ProviderUnavailable):
            await provider.callers.verify(server.tenant.access_token("ada"), scope=UPDATE_METADATA)


async def test_an_unknown_key_is_invalid_when_the_set_is_new(provider, tenant):
    calls = tenant.records.count("jwks")
    tenant.tokens.keys.rotate()
    with pytest.raises(InvalidToken):
        await provider.callers.verify(tenant.access_token("ada"), scope=UPDATE_METADATA)
    assert tenant.records.count("jwks") == calls


async def test_without_a_key_set_nobody_can_be_verified(opened, server):
    server.refuse_connections()
    async with opened() as provider:
        within(0.5)
        with pytest.raises(ProviderUnavailable):
            await provider.callers.verify(server.tenant.access_token("ada"), scope=UPDATE_METADATA)


async def test_a_token_whose_key_is_withdrawn_is_not_remembered(provider, tenant, later):
    token = tenant.access_token("ada")
    await provider.callers.verify(token, scope=UPDATE_METADATA)
    tenant.tokens.keys.rotate(revoke=True)
    later.by = 31
    await provider.callers.verify(tenant.access_token("ada"), scope=UPDATE_METADATA)
    with pytest.raises(InvalidToken):
        await provider.callers.verify(token, scope=UPDATE_METADATA)


async def test_after_a_failed_fetch_an_unknown_key_waits_for_the_next(provider, server, later):
    later.by = 31
    server.tenant.tokens.keys.rotate()
    token = server.tenant.access_token("ada")
    server.refuse_connections()
    within(0.5)
    with pytest.raises(ProviderUnavailable):
        await provider.callers.verify(token, scope=UPDATE_METADATA)
    server.refuse_connections(refuse=False)
    calls = server.tenant.records.count("jwks")
    with pytest.raises(ProviderUnavailable):
        await provider.callers.verify(token, scope=UPDATE_METADATA)
    assert server.tenant.records.count("jwks") == calls
    later.by = 62
    within(2.0)
    assert (await provider.callers.verify(token, scope=UPDATE_METADATA)).subject == "auth0|ada"


async def test_a_token_for_the_platforms_api_says_who_its_subject_is_and_lets_nobody_act(provider, tenant):
    token = tenant.access_token("ada", ["update:current_user_metadata"], aud="https://lfx-api.example/")
    assert (await provider.directory.resolve(token)).user_id == "auth0|ada"
    with pytest.raises(InvalidAudience):
        await provider.callers.verify(token, scope="update:current_user_metadata")
