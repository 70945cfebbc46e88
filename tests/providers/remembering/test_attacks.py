# SPDX-License-Identifier: MIT
"""What somebody could try with remembered answers."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from tests.providers.remembering.replicas import FORGET, NOT_FOUND, UNAVAILABLE, replicas
from tests.support.waiting import until

FLOOD = 5_000


async def test_a_flood_of_messages_makes_processes_ask_and_nothing_else(server, nats):
    async with replicas(server, nats.url, 2, READ_FRESH_FOR="10m", READ_PATIENCE="300ms") as service:
        before = await service.everywhere("user_metadata.read", "ada")
        bodies = [b"f", b"forget all", b"a" * 17, os.urandom(17 + 16), os.urandom(1041), os.urandom(1024 * 1024)]
        for number in range(FLOOD):
            await service.client.publish(FORGET, bodies[5 if number % 500 == 0 else number % 5])
        replies = await asyncio.gather(*(service.ask("user_metadata.read", "ada") for _ in range(100)))
        assert replies == [before] * 100
        await until(lambda: service.counted("auth_service_forgets_received_total") == 2 * FLOOD)
        server.refuse_connections()
        assert await service.everywhere("user_metadata.read", "ada") == before


async def test_a_message_heard_and_sent_again_makes_processes_ask_for_that_user(server, nats):
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        heard = await service.client.subscribe(FORGET)
        await service.client.flush()
        await service.move("ada", "Turin")
        message = (await heard.next_msg(timeout=60)).data
        assert b"ada" not in message
        for _ in range(1000):
            await service.client.publish(FORGET, message)
        assert await service.city("ada") == "Turin"


async def test_a_user_who_is_deleted_in_the_tenant_is_gone_for_every_replica_that_could_know(server, nats):
    async with replicas(server, nats.url, 2, READ_PATIENCE="2500ms", REQUEST_TIMEOUT="3s") as service:
        for each in (
            ("user_metadata.read", "ada"),
            ("user_metadata.read", "auth0|ada"),
            ("email_to_sub", "ada@example.org"),
        ):
            await service.everywhere(*each)
        server.tenant.accounts.remove(server.tenant.user("ada"))
        assert await service.ask("user_metadata.read", "ada") == NOT_FOUND
        await until(lambda: service.counted("auth_service_forgets_received_total") == 2)
        server.refuse_connections()
        for each in (("user_metadata.read", "auth0|ada"), ("email_to_sub", "ada@example.org")):
            assert await service.everywhere(*each) == UNAVAILABLE


async def test_that_there_is_nobody_is_remembered_for_seconds_only_and_not_in_place_of_an_error(server, nats):
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m", REQUEST_TIMEOUT="8s") as service:
        assert await service.ask("user_metadata.read", "newcomer") == NOT_FOUND
        calls = server.tenant.records.count("users.search")
        assert await service.ask("user_metadata.read", "newcomer") == NOT_FOUND
        assert server.tenant.records.count("users.search") == calls
        server.tenant.add_user("auth0|newcomer", username="newcomer", metadata={"city": "Oslo"})
        async with asyncio.timeout(30):
            while await service.ask("user_metadata.read", "newcomer") == NOT_FOUND:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.2)
        assert await service.ask("email_to_sub", "nobody@example.org") == NOT_FOUND
        server.refuse_connections()
        await asyncio.sleep(5.1)
        assert await service.ask_in_time("email_to_sub", "nobody@example.org") == UNAVAILABLE


async def test_a_token_is_verified_though_its_user_is_remembered(server, nats):
    tenant = server.tenant
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        await service.city(tenant.access_token("ada"))
        await service.city("ada")
        for name, token in tenant.attacks("ada").items():
            reply = await service.ask("user_metadata.read", token)
            assert (name, reply["success"]) == (name, False)
        expired = await service.ask("user_metadata.read", tenant.access_token("ada", lifetime=-60))
        assert expired == {"success": False, "error": "token has expired"}


async def test_a_token_shows_its_own_user_and_nobody_else(server, nats):
    tenant = server.tenant
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        for _ in range(2):
            for who, address in (("ada", "ada@example.org"), ("grace.hopper", "grace@example.org")):
                body = {"user": {"auth_token": tenant.access_token(who)}}
                assert (await service.ask("user_emails.read", body))["data"]["primary_email"] == address


async def test_a_user_who_is_blocked_is_answered_as_the_tenant_answers(server, nats):
    tenant = server.tenant
    async with replicas(server, nats.url, 1, READ_STALE_FOR="1h") as service:
        before = await service.ask("user_metadata.read", "auth0|ada")
        tenant.accounts.change(tenant.user("ada"), blocked=True, user_metadata={"city": "Turin"})
        assert await service.city("auth0|ada") == "Turin"
        tenant.faults.status(403, "users.get")
        assert before != await service.ask("user_metadata.read", "auth0|ada")


async def test_of_two_users_with_one_address_each_stays_under_its_own_names(server, nats):
    tenant = server.tenant
    for name in ("one", "two"):
        tenant.add_user(f"auth0|{name}", username=name, email="both@example.org", metadata={"city": name})
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        for _ in range(2):
            owner = await service.ask("email_to_username", "both@example.org")
            assert owner in {"one", "two"}
            for name in ("one", "two"):
                assert await service.city(name) == name
                assert await service.city(f"auth0|{name}") == name


async def test_a_users_own_record_puts_it_under_nobody_elses_name(server, nats):
    """An address that is not verified, a username and a subject identifier that are somebody else's."""
    tenant = server.tenant
    tenant.add_user(
        "auth0|mallory",
        username="grace.hopper",
        email="mallory@example.org",
        metadata={"city": "nowhere"},
        alternates=[("ada@example.org", False), ("free@example.org", False)],
        social=[{"provider": "google-oauth2", "user_id": "ada", "email": "linus@example.com", "email_verified": True}],
    )
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        for _ in range(2):
            assert await service.city("auth0|mallory") == "nowhere"
            assert await service.ask("email_to_sub", "mallory@example.org") == "auth0|mallory"
            assert await service.ask("email_to_sub", "ada@example.org") == "auth0|ada"
            assert await service.ask("email_to_username", "linus@example.com") == "linus_t"
            assert await service.ask("email_to_sub", "free@example.org") == NOT_FOUND
            assert await service.city("grace.hopper") != "nowhere"


async def test_an_address_that_moves_is_found_where_it_is_once_the_provider_is_asked(server, nats):
    tenant = server.tenant
    async with replicas(server, nats.url, 2, READ_PATIENCE="3s") as service:
        assert await service.everywhere("email_to_username", "grace@example.org") == "grace.hopper"
        tenant.accounts.change(tenant.user("grace.hopper"), email="grace@moved.example")
        tenant.accounts.change(tenant.user("linus_t"), email="grace@example.org")
        assert await service.everywhere("email_to_username", "grace@example.org") == "linus_t"
        server.refuse_connections()
        assert await service.everywhere("email_to_username", "grace@example.org") == "linus_t"


async def test_a_primary_that_is_changed_is_seen_under_both_addresses_by_every_replica(server, nats):
    body = {"user": {"auth_token": server.tenant.access_token("ada")}, "email": "ada@lovelace.example"}
    async with replicas(server, nats.url, 3, READ_FRESH_FOR="10m") as service:
        shown = {"user": {"auth_token": "ada"}}
        for address in ("ada@example.org", "ada@lovelace.example"):
            assert await service.everywhere("email_to_sub", address) == "auth0|ada"
        await service.everywhere("user_emails.read", shown)
        assert (await service.ask("user_emails.set_primary", body))["success"]
        for address in ("ada@example.org", "ada@lovelace.example"):
            assert await service.everywhere("email_to_sub", address) == "auth0|ada"
        data = (await service.everywhere("user_emails.read", shown))["data"]
        assert data["primary_email"] == "ada@lovelace.example"
        assert {"email": "ada@example.org", "verified": True} in data["alternate_emails"]


async def test_an_alias_that_is_claimed_is_found_at_once_by_every_replica(server, nats):
    token = server.tenant.access_token("ada")
    async with replicas(server, nats.url, 3, READ_FRESH_FOR="10m", ALLOWED_ALIAS_DOMAINS="linux.com") as service:
        assert await service.everywhere("email_to_sub", "lovelace@linux.com") == NOT_FOUND
        await service.everywhere("user_identity.list", {"user": {"auth_token": "ada"}})
        claim = {"user": {"auth_token": token}, "alias": "lovelace", "domain": "linux.com"}
        assert (await service.ask("add_alias", claim))["success"]
        assert await service.everywhere("email_to_sub", "lovelace@linux.com") == "auth0|ada"
        listed = await service.everywhere("user_identity.list", {"user": {"auth_token": "ada"}})
        assert "lovelace@linux.com" in json.dumps(listed)


@pytest.mark.parametrize("token", ["ada", "auth0|ada"])
async def test_nothing_of_anybody_is_shown_in_metrics(token, server, nats):
    async with replicas(server, nats.url, 1, READ_FRESH_FOR="10m") as service:
        await service.city(token)
        await service.city(token)
        (one,) = service.services
        assert "ada" not in one.telemetry.exposition().decode().replace("metadata", "")
