# SPDX-License-Identifier: MIT
"""Fields that do not hold what Auth0's definition promises: what is well formed is answered, at once."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.stand_ins.auth0.oddities import ABSENT

pytestmark = pytest.mark.usefixtures("on_nats")

GOOGLE = {
    "provider": "google-oauth2",
    "user_id": "1029",
    "isSocial": True,
    "profileData": {"email": "ada@gmail.example", "email_verified": True, "nickname": "ada", "name": "Ada Lovelace"},
}
ALTERNATES = [
    {"email": "ada@lovelace.example", "verified": True},
    {"email": "ada@unverified.example", "verified": False},
]


async def emails(bus, reference="auth0|ada"):
    return (await bus.ask("user_emails.read", {"user": {"auth_token": reference}}))["data"]


async def google(bus):
    listed = (await bus.ask("user_identity.list", {"user": {"auth_token": "ada"}}))["data"]
    return next(one for one in listed if one["provider"] == "google-oauth2")


@pytest.mark.parametrize(
    "odd",
    [
        {"email_verified": "ada@example.org"},
        {"name": ["Ada", "Countess"], "nickname": {"first": "ada"}, "picture": 5},
        {"created_at": {"$date": "2026-01-31T12:00:00Z"}, "updated_at": [], "last_login": {}},
        {"app_metadata": [], "blocked": "false", "multifactor": {}},
        {"identities.1.profileData": []},
        {"identities.1": "google-oauth2|1029"},
        {"identities.0.isSocial": "no", "identities.1.provider": {}, "identities.1.user_id": ABSENT},
        {"user_metadata": []},
        {"user_metadata": "Ada"},
    ],
)
async def test_an_odd_field_of_one_user_stops_nothing(tenant, odd):
    tenant.odd("ada", odd)
    tenant.oddities.strangers[:] = [5, None, [], {}, {"user_id": {}}, {"email": "ada@example.org"}]
    async with on_the_bus() as bus:
        assert await bus.ask("email_to_sub", "ada@example.org") == "auth0|ada"
        assert await bus.ask("email_to_username", "ada@lovelace.example") == "ada"
        for reference in ("ada", "auth0|ada", tenant.access_token("ada")):
            read = await emails(bus, reference)
            assert read == {"primary_email": "ada@example.org", "alternate_emails": ALTERNATES}
        known = await bus.ask("user_metadata.read", "ada")
        assert known["data"].get("city") == (None if "user_metadata" in odd else "London")
    # The alternate is looked for twice: as a primary with capitals, then among the identities.
    assert tenant.records.count("users.search") == 4


async def test_a_stranger_who_is_odd_stops_no_look_up_of_another(tenant):
    """The stranger has the address too, unverified, and comes first."""
    tenant.add_user("auth0|aaa", username="aaa", alternates=[("linus@work.example", False)])
    oddities = {"email": {}, "username": [], "user_metadata": "x", "identities.0": 5, "identities.1.provider": [[]]}
    tenant.odd("aaa", {**oddities, "identities.1.profileData.email_verified": "linus@work.example"})
    async with on_the_bus() as bus:
        assert await bus.ask("email_to_sub", "linus@work.example") == "auth0|linus_t"
        assert await bus.ask("email_linking.send_verification", "linus@work.example") == "email already linked"


@pytest.mark.parametrize(
    ("said", "verified"), [("true", True), ("True", True), ("false", False), ("", False), ("a@b.example", False)]
)
async def test_what_an_identity_provider_says_of_an_address(tenant, said, verified):
    tenant.odd(
        "ada", {"identities.1.profileData.email_verified": said, "identities.2.profileData.email_verified": said}
    )
    async with on_the_bus() as bus:
        assert (await google(bus))["profileData"].get("email_verified", False) is verified
        assert (await emails(bus))["alternate_emails"][0] == {"email": "ada@lovelace.example", "verified": verified}
        found = await bus.ask("email_to_username", "ada@lovelace.example")
        assert found == ("ada" if verified else "user not found")
        made = await bus.ask(
            "user_emails.set_primary",
            {"user": {"auth_token": tenant.access_token("ada")}, "email": "ada@lovelace.example"},
        )
        refused = "email is not verified and cannot be set as primary"
        assert made == ({"success": True, "message": "primary email updated successfully"} if verified else refused)


async def test_texts_of_an_identity(tenant):
    profile = "identities.1.profileData."
    tenant.odd(
        "ada", {f"{profile}email": ["a@b.example", "c@d.example"], f"{profile}name": {}, f"{profile}nickname": 7}
    )
    async with on_the_bus() as bus:
        assert await google(bus) == {
            **GOOGLE,
            "profileData": {"email": "a@b.example", "email_verified": True, "nickname": "7"},
        }


@pytest.mark.parametrize("odd", [ABSENT, None, "", {}, [], [5], True])
async def test_a_user_who_cannot_be_read_is_the_providers_fault_and_told_at_once(tenant, odd):
    tenant.odd("ada", {"user_id": odd})
    async with on_the_bus() as bus:
        assert await bus.ask("user_metadata.read", "auth0|ada") == UNAVAILABLE
    assert tenant.records.count("users.get") == 1


@pytest.mark.parametrize("odd", [{"identities": {}, "email": [], "user_id": ABSENT}, {"username": {}, "blocked": []}])
async def test_after_an_update_the_reply_is_read_likewise_and_the_event_is_sent(tenant, odd):
    tenant.odd("ada", {**odd, "user_metadata.job_title": 5, "user_metadata.bio": ["x"]})
    async with on_the_bus() as bus:
        events = await bus.client.subscribe("lfx.user_profile.updated")
        change = {"city": "Oslo", "country": "NO"}
        token = tenant.access_token("ada")
        reply = await bus.ask("user_metadata.update", {"token": token, "user_metadata": change})
        assert (reply["success"], reply["data"]["city"], reply["data"]["name"]) == (True, "Oslo", "Ada Lovelace")
        assert not {"job_title", "bio"} & set(reply["data"])
        event = json.loads((await events.next_msg(10)).data)
        assert (event["user_id"], event["principal"], event["user_metadata"]) == (
            "auth0|ada",
            "auth0|ada",
            reply["data"],
        )
    (sent,) = [json.loads(one.body) for one in tenant.records.exchanges if one.operation == "users.update"]
    assert sent == {"user_metadata": change}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
PLACES = (
    "email_verified", "name", "nickname", "picture", "created_at", "updated_at", "app_metadata", "blocked",
    "last_login", "logins_count", "multifactor", "identities.0.isSocial", "identities.0.profileData", "identities.1",
    "identities.1.provider", "identities.1.user_id", "identities.1.connection", "identities.1.profileData",
    "identities.3.provider", "identities.3.isSocial",
)  # fmt: skip


async def test_whatever_stands_in_other_fields_every_read_is_answered_right(tenant):
    """On one service, with many drawn users."""
    async with on_the_bus() as bus:
        loop = asyncio.get_running_loop()

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            odd=st.dictionaries(st.sampled_from(PLACES), anything, min_size=1),
            strangers=st.lists(anything, max_size=3),
            metadata=anything,
        )
        def of_any(odd, strangers, metadata):
            asyncio.run_coroutine_threadsafe(asked(odd, strangers, metadata), loop).result()

        async def asked(odd, strangers, metadata):
            # Parts of an identity, then the identity as a whole.
            places = sorted(odd, key=lambda place: -place.count("."))
            tenant.oddities.fields["auth0|ada"] = {place: odd[place] for place in places}
            tenant.oddities.fields["auth0|linus_t"] = {"user_metadata": metadata, "email": metadata}
            tenant.oddities.strangers[:] = [
                one for one in strangers if not (isinstance(one, dict) and "user_id" in one)
            ]
            assert await bus.ask("email_to_sub", "ada@example.org") == "auth0|ada"
            assert await bus.ask("email_to_username", "ada@lovelace.example") == "ada"
            assert await bus.ask("email_to_username", "linus@work.example") == "linus_t"
            read = await emails(bus, "ada")
            assert read["primary_email"] == "ada@example.org"
            assert ALTERNATES[0] in read["alternate_emails"]
            assert (await bus.ask("user_metadata.read", "auth0|ada"))["data"]["city"] == "London"
            assert (await bus.ask("user_identity.list", {"user": {"auth_token": "linus_t"}}))["success"] is True
            assert (await bus.ask("user_metadata.read", "linus_t"))["success"] is True

        await asyncio.to_thread(of_any)
