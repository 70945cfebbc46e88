# SPDX-License-Identifier: MIT
"""Impersonation: who may, and what is told of a refusal."""

from __future__ import annotations

import pytest
from jose import jwt

from app.domain.errors import (
    CallerError,
    ImpersonationNotAllowed,
    ImpersonationRefused,
    InternalError,
    InvalidToken,
    ProviderUnavailable,
)


async def test_who_may_impersonate_gets_a_token_of_the_other(provider, tenant):
    token = tenant.impersonator_token("ada")
    await provider.impersonation.permit(token)
    given = await provider.impersonation.exchange(token, "linus_t", "")
    claims = jwt.get_unverified_claims(given)
    assert (claims["sub"], claims["aud"]) == ("auth0|linus_t", "https://lfx-api.example/")


async def test_a_token_may_be_asked_for_each_audience_that_is_configured(provider, tenant):
    assert provider.impersonation.audiences == {"https://lfx-api.example/", "https://insights-api.example/"}
    for audience in provider.impersonation.audiences:
        given = await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t", audience)
        assert jwt.get_unverified_claims(given)["aud"] == audience
    kinds = {one.fields()["subject_token_type"] for one in tenant.records.of("token.exchange")}
    assert kinds == {"https://lfx-api.example/"}


async def test_unless_others_are_configured_there_is_one_audience(environment, opened):
    environment.delenv("AUTH0_IMPERSONATION_AUDIENCES")
    async with opened() as provider:
        assert provider.impersonation.audiences == {"https://lfx-api.example/"}


async def test_who_may_not_impersonate_is_refused(provider, tenant):
    for claim in (None, False, "true", 1):
        token = tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": claim})
        with pytest.raises(ImpersonationNotAllowed):
            await provider.impersonation.permit(token)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            {"error": "access_denied", "error_description": "No\nsuch\tuser \u2028here"},
            "access_denied: No such user  here",
        ),
        ({"error": "access_denied"}, "access_denied"),
        ({"error": "x", "error_description": "y" * 400}, "x: " + "y" * 297),
    ],
)
async def test_a_refusal_of_impersonation_is_passed_on_in_one_line(provider, tenant, content, line):
    tenant.faults.json(content, "token.exchange", 403)
    with pytest.raises(ImpersonationRefused) as refused:
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t", "")
    assert refused.value.wire == line


async def test_our_own_credentials_being_refused_is_our_fault(provider, tenant):
    tenant.faults.json({"error": "invalid_client", "error_description": "secret"}, "token.exchange", 401)
    with pytest.raises(InternalError):
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t", "")


async def test_an_exchange_without_a_token_is_no_success(provider, tenant):
    tenant.faults.json({"token_type": "Bearer"}, "token.exchange")
    with pytest.raises(ProviderUnavailable):
        await provider.impersonation.exchange(tenant.impersonator_token("ada"), "linus_t", "")


async def test_who_is_refused_is_named_when_the_token_is_genuine(provider, tenant):
    for claims in ({"lifetime": -60}, {"aud": "https://api.example/"}, {"http://lfx.dev/claims/can_impersonate": None}):
        token = tenant.impersonator_token("ada", **claims)
        assert await provider.impersonation.subject_of(token) == "auth0|ada"
        with pytest.raises(CallerError):
            await provider.impersonation.permit(token)


async def test_nobody_is_named_on_a_forged_tokens_word(provider, tenant):
    for name in ("a foreign key under a known kid", "alg none", "claims exchanged"):
        with pytest.raises(InvalidToken):
            await provider.impersonation.subject_of(tenant.attacks("ada")[name])
