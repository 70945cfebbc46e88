# SPDX-License-Identifier: MIT
"""The tenant's keys, its token for the service, its clock and its index, when they are not as they should be."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.stand_ins.auth0.keys import compact

pytestmark = pytest.mark.usefixtures("on_nats")
OSLO = {"user_metadata": {"city": "Oslo"}}


async def test_a_refused_token_of_the_service_costs_nobody_anything(tenant):
    async with on_the_bus() as bus:
        tenant.tokens.revoke_m2m()
        assert await bus.ask("email_to_sub", "ada@example.org") == "auth0|ada"
        tenant.tokens.revoke_m2m()
        alias = {"user": {"auth_token": tenant.access_token("ada")}, "alias": "ada.l", "domain": "linux.com"}
        assert await bus.ask("add_alias", alias) == {"success": True, "email": "ada.l@linux.com"}
    assert tenant.records.count("users.create") == 1


async def test_while_the_keys_are_away_known_ones_go_on_working(tenant, later):
    async with on_the_bus(monotonic=later, request_timeout="6s") as bus:
        old = tenant.access_token("ada")
        tenant.tokens.keys.rotate()
        tenant.faults.status(503, "jwks")
        later.by = 31
        replies = await bus.ask_all(
            {
                "user_metadata.update known": {"token": old, **OSLO},
                "user_metadata.update new": {"token": tenant.access_token("ada"), **OSLO},
                "user_metadata.read": tenant.access_token("ada"),
            }
        )
    assert replies["user_metadata.update known"]["success"]
    assert replies["user_metadata.update new"] == replies["user_metadata.read"] == UNAVAILABLE
    assert tenant.records.count("users.update") == 1


async def test_a_rotated_key_is_known_at_once(tenant, later):
    async with on_the_bus(monotonic=later) as bus:
        tenant.tokens.keys.rotate()
        later.by = 31
        tokens = [tenant.access_token("ada") for _ in range(20)]
        replies = await asyncio.gather(*(bus.ask("user_metadata.update", {"token": token, **OSLO}) for token in tokens))
    assert all(reply["success"] for reply in replies)
    assert tenant.records.count("jwks") == 2


async def test_ten_thousand_unknown_keys_are_ten_thousand_invalid_tokens_and_one_fetch(tenant, later):
    async with on_the_bus(monotonic=later) as bus:
        later.by = 31
        _, claims, signature = tenant.access_token("ada").split(".")

        def under(kid):
            return f"{compact({'alg': 'RS256', 'kid': kid}, {}).partition('.')[0]}.{claims}.{signature}"

        for first in range(0, 10_000, 500):
            requests = ({"token": under(f"kid-{number}"), **OSLO} for number in range(first, first + 500))
            replies = await asyncio.gather(*(bus.ask("user_metadata.update", request) for request in requests))
            assert set(replies) == {"invalid token"}
        assert await bus.ask("user_metadata.read", tenant.access_token("ada")) != "invalid token"
    assert tenant.records.count("jwks") == 2
    assert tenant.records.count("users.update") == 0


@pytest.mark.parametrize(
    ("skew", "claims", "reply"),
    [
        (-29, {"lifetime": 0}, None),
        (-31, {"lifetime": 0}, "token has expired"),
        (29, {"nbf": 29}, None),
        (31, {"nbf": 31}, "invalid token"),
    ],
)
async def test_clocks_may_differ_by_half_a_minute(tenant, skew, claims, reply):
    """A token that ends, or begins, at this moment of the tenant's clock, which is `skew` seconds ahead of ours."""
    ours = float(int(time.time()))
    tenant.clock = lambda: ours
    try:
        async with on_the_bus(now=lambda: ours) as bus:
            tenant.skew = skew
            more = {"nbf": int(ours) + claims["nbf"]} if "nbf" in claims else claims
            told = await bus.ask("user_metadata.read", tenant.access_token("grace.hopper", **more))
    finally:
        tenant.clock = time.time
    assert told == (reply or {"success": True, "data": {}})


async def test_an_address_that_the_index_still_has_but_the_user_no_longer_is_nobodys(tenant):
    """The search gives back a document in which the identity is not the address that was asked for any more."""
    changed = {**tenant.user("linus_t").profile, "identities": tenant.user("grace.hopper").profile["identities"]}
    async with on_the_bus() as bus:
        tenant.faults.json([changed], "users.search")
        tenant.faults.json([{**changed, "email": "moved@example.com"}], "users-by-email")
        assert await bus.ask("email_to_sub", "linus@work.example") == "user not found"
        assert await bus.ask("email_to_username", "linus@example.com") == "user not found"
        assert await bus.ask("user_metadata.read", "linus_t") == "user not found"


async def test_half_a_surrogate_pair_in_what_is_stored_is_shown_as_a_replacement(tenant):
    half = {"provider": "email", "user_id": "1", "connection": "email", "profileData": {"email": "\udfff@x.example"}}
    stored = {"user_id": "auth0|x", "email": "\ud800@x.example", "user_metadata": {"city": "\ud83e\udd89 \ud800"}}
    tenant.faults.json({**stored, "identities": [half, half]}, "users.get")
    async with on_the_bus() as bus:
        metadata = await bus.ask("user_metadata.read", "auth0|x")
        emails = await bus.ask("user_emails.read", {"user": {"auth_token": "auth0|x"}})
        identities = await bus.ask("user_identity.list", {"user": {"auth_token": "auth0|x"}})
    assert metadata["data"] == {"city": "🦉 \ufffd"}
    assert emails["data"]["primary_email"] == "\ufffd@x.example"
    assert identities["data"][1]["profileData"] == {"email": "\ufffd@x.example"}
