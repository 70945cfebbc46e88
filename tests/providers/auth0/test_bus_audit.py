# SPDX-License-Identifier: MIT
"""Audit records of impersonation: one for every attempt, however it ends, and never a token in it."""

from __future__ import annotations

import io
import json

import pytest
from jose import jwt

from app.settings import LogSettings
from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.stand_ins.auth0.forgery import FOREIGN
from tests.stand_ins.auth0.keys import parsed, rsa_key
from tests.support.logs import service_log

pytestmark = pytest.mark.usefixtures("on_nats")
SUBJECT = "impersonation.token_exchange"


@pytest.fixture(params=["debug", "error"])
def log(request):
    stream = io.StringIO()
    with service_log(LogSettings(level=request.param), stream=stream):
        yield stream


def audited(log):
    """Who, whom and the outcome, of every record."""
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    return [
        (record["impersonator"], record["target_user"], record["outcome"])
        for record in records
        if record.get("audit") == "impersonation"
    ]


async def test_every_attempt_leaves_one_record(tenant, log):
    tokens = {
        "genuine": tenant.impersonator_token("ada"),
        "not allowed": tenant.impersonator_token("ada", **{"http://lfx.dev/claims/can_impersonate": False}),
        "expired": tenant.impersonator_token("ada", lifetime=-60),
        "for another": tenant.impersonator_token("ada", aud="https://api.example/"),
    }
    forged = rsa_key(FOREIGN).under(tenant.tokens.keys.current.kid).sign(parsed(tokens["genuine"])[1])
    ada = "auth0|ada"
    async with on_the_bus() as bus:

        async def ask(token, target="linus_t"):
            return await bus.ask(SUBJECT, {"subject_token": token, "target_user": target})

        granted = await ask(tokens["genuine"], "linus@example.com")
        told = [await ask(token) for token in (tokens["not allowed"], tokens["expired"], tokens["for another"])]
        told += [await ask(forged), await ask(""), await ask(tokens["genuine"], " ")]
        told += [await ask(tokens["genuine"], "nobody")]
        tenant.faults.status(500, "token.exchange")
        told += [await ask(tokens["genuine"], "grace@example.org")]
    assert granted["success"]
    assert audited(log) == [
        (ada, "linus@example.com", "granted"),
        (ada, "linus_t", "refused: impersonation not allowed"),
        (ada, "linus_t", "refused: token has expired"),
        (ada, "linus_t", "refused: invalid audience"),
        ("", "linus_t", "refused: invalid token"),
        ("", "linus_t", "refused: subject_token is required"),
        ("", " ", "refused: target_user is required"),
        (ada, "nobody", "refused: invalid_request: The target user is unknown."),
        (ada, "grace@example.org", f"refused: {UNAVAILABLE}"),
    ]
    assert told == [outcome.removeprefix("refused: ") for _, _, outcome in audited(log)[1:]]
    for token in (*tokens.values(), forged, granted["data"]["access_token"]):
        assert token not in log.getvalue()


async def test_a_record_says_for_which_audience_when_one_was_asked_for(tenant, log):
    token, insights = tenant.impersonator_token("ada"), "https://insights-api.example/"
    async with on_the_bus() as bus:

        async def ask(audience, **more):
            return await bus.ask(
                SUBJECT, {"subject_token": token, "target_user": "linus_t", **more, "audience": audience}
            )

        granted = [
            await ask(audience) for audience in (insights, f" {insights} ", "https://lfx-api.example/", "", None)
        ]
        refused = [await ask(audience) for audience in ("https://insights-api.example", "x" * 1000, token)]
        refused += [await ask("x", target_user=" "), await ask("x", subject_token="forged"), await ask(5)]
    given = [jwt.get_unverified_claims(reply["data"]["access_token"])["aud"] for reply in granted]
    assert given == [insights, insights, *["https://lfx-api.example/"] * 3]
    assert refused == [
        *["audience not allowed"] * 3,
        "target_user is required",
        "audience not allowed",
        "invalid request",
    ]
    records = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [record.get("audience") for record in records if record.get("audit") == "impersonation"]
    assert told[:5] == [insights, insights, "https://lfx-api.example/", None, None]
    assert told[5:] == ["https://insights-api.example", "x" * 320 + "…", "[token]", "x", "x"]
    assert token not in log.getvalue()
    assert tenant.records.count("token.exchange") == 5


async def test_a_token_that_stands_where_a_name_belongs_is_masked(tenant, log):
    token, other = tenant.impersonator_token("ada"), tenant.impersonator_token("linus_t")
    refusal = {"error": "access_denied", "error_description": f"what is {token}?"}
    tenant.faults.json(refusal, "token.exchange", 403)
    async with on_the_bus() as bus:
        for target in (other, f"Bearer {other}", "x" * 1000, "linus_t\r\n{}"):
            await bus.ask(SUBJECT, {"subject_token": token, "target_user": target})
    assert [target for _, target, _ in audited(log)] == ["[token]", "Bearer [token]", "x" * 320 + "…", "linus_t  {}"]
    assert token not in log.getvalue()
    assert other not in log.getvalue()


async def test_an_attempt_whose_time_ends_leaves_a_record(tenant, log):
    async with on_the_bus(request_timeout="1s") as bus:
        tenant.faults.add("hang", "token.exchange")
        request = {"subject_token": tenant.impersonator_token("ada"), "target_user": "linus_t"}
        assert await bus.ask(SUBJECT, request) == UNAVAILABLE
    assert audited(log) == [("auth0|ada", "linus_t", f"refused: {UNAVAILABLE}")]


async def test_an_attempt_where_there_is_no_impersonation_leaves_a_record(on_nats, tenant, log):
    on_nats.delenv("AUTH0_LFX_V2_API_AUDIENCE")
    refusal = "impersonation flow unavailable"
    request = {"subject_token": tenant.impersonator_token("ada"), "target_user": "linus_t", "audience": "x"}
    async with on_the_bus() as bus:
        assert [await bus.ask(SUBJECT, body) for body in (request, "no object")] == [refusal, refusal]
    assert audited(log) == [("", "linus_t", f"refused: {refusal}"), ("", "", f"refused: {refusal}")]
    assert [record.get("audience") for record in map(json.loads, log.getvalue().splitlines()) if "audit" in record] == [
        "x",
        None,
    ]
    assert request["subject_token"] not in log.getvalue()
