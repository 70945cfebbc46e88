# SPDX-License-Identifier: MIT
"""What callers are told when the tenant fails, and that it is told in time."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import ProviderUnavailable, RateLimited, SearchFailed, UserNotFound
from app.domain.users import Address
from tests.providers.auth0.conftest import ready, within
from tests.support.waiting import until

ADA = Address("ada@example.org")
TIME = 1.0


def refuse(server):
    server.refuse_connections()


FAULTS = {
    "refused": refuse,
    "reset": lambda server: server.tenant.faults.add("reset", "users*"),
    "cut in the middle of the body": lambda server: server.tenant.faults.add("cut", "users*"),
    "hang": lambda server: server.tenant.faults.add("hang", "users*"),
    "hang in the middle of the body": lambda server: server.tenant.faults.add("hang_body", "users*"),
    "500": lambda server: server.tenant.faults.status(500, "users*"),
    "502 with HTML": lambda server: server.tenant.faults.html(502, "users*"),
    "503": lambda server: server.tenant.faults.status(503, "users*"),
    "200 with HTML": lambda server: server.tenant.faults.html(200, "users*"),
    "garbage": lambda server: server.tenant.faults.garbage("users*"),
    "deeply nested": lambda server: server.tenant.faults.garbage("users*", "[" * 100_000),
    "wrong types": lambda server: server.tenant.faults.add("wrong_types", "users*"),
    "an object for a list": lambda server: server.tenant.faults.json({}, "users*"),
    "redirect": lambda server: server.tenant.faults.redirect("https://attacker.example/", "users*"),
    "gzip bomb": lambda server: server.tenant.faults.add("gzip_bomb", "users*"),
    "flood": lambda server: server.tenant.faults.add("flood", "users*"),
    "expired certificate": lambda server: server.use_certificate("expired"),
    "certificate of another host": lambda server: server.use_certificate("wrong_host"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failing_tenant_is_unavailable_before_the_request_times_out(time_ends, opened, server, name):
    async with opened() as provider:
        await ready(provider)
        FAULTS[name](server)
        deadline = within(time_ends)
        with pytest.raises(ProviderUnavailable):
            await provider.directory.by_primary_email(ADA)
        assert deadline.remaining() > 0


@pytest.mark.parametrize("content", [{}, None, 5, "users", {"users": []}])
async def test_an_answer_that_is_no_list_is_asked_for_again(provider, tenant, content):
    tenant.faults.json(content, "users-by-email", times=1)
    within(30.0)
    assert (await provider.directory.by_primary_email(ADA)).user_id == "auth0|ada"
    assert tenant.records.count("users-by-email") == 2


async def test_it_is_asked_until_nine_tenths_of_the_time_are_used_up(environment, opened, tenant):
    environment.setenv("REQUEST_TIMEOUT", str(TIME))
    async with opened() as provider:
        await ready(provider)
        tenant.faults.status(503, "users*")
        deadline = within(TIME)
        with pytest.raises(ProviderUnavailable):
            await provider.directory.by_primary_email(ADA)
        assert deadline.remaining() < 0.2 * TIME
        assert tenant.records.count("users-by-email") >= 3


@pytest.mark.parametrize("after", [None, "1", "3600", "soon"])
async def test_a_rate_limit_to_the_end_is_told_as_such(environment, opened, tenant, after):
    environment.setenv("REQUEST_TIMEOUT", str(TIME))
    async with opened() as provider:
        await ready(provider)
        tenant.faults.too_many("users*", retry_after=after)
        deadline = within(TIME)
        with pytest.raises(RateLimited):
            await provider.directory.by_primary_email(ADA)
        assert 0 < deadline.remaining() < 0.2 * TIME


async def test_a_rate_limit_that_is_reset_in_time_is_waited_for(provider, tenant):
    within(5.0)
    tenant.faults.too_many("users*", retry_after="1", times=1)
    assert (await provider.directory.by_primary_email(ADA)).user_id == "auth0|ada"
    assert tenant.records.count("users-by-email") == 2


async def test_who_meets_a_rate_limit_slows_down_everybody(provider, tenant, counts):
    tenant.faults.too_many("users*", retry_after="1", times=1)
    first = asyncio.create_task(provider.directory.by_primary_email(ADA))
    await until(lambda: any(outcome == "rate_limited" for _, outcome in counts.attempts))
    others = [asyncio.create_task(provider.directory.resolve(f"auth0|nobody{n}")) for n in range(20)]
    await asyncio.sleep(0.3)
    assert tenant.records.count("users.get") == 0
    await first
    assert [type(e) for e in await asyncio.gather(*others, return_exceptions=True)] == [UserNotFound] * 20


async def test_a_limit_of_reads_does_not_hold_up_writes(provider, tenant):
    tenant.faults.too_many("users-by-email", retry_after="30")
    within(0.6)
    with pytest.raises(RateLimited):
        await provider.directory.by_primary_email(ADA)
    within(2.0)
    await provider.reset_links.send(ADA)


async def test_a_refused_search_is_told_as_such_and_not_repeated(provider, tenant):
    for status in (400, 403, 409):
        tenant.faults.clear()
        tenant.faults.status(status, "users-by-email")
        with pytest.raises(SearchFailed):
            await provider.directory.by_primary_email(ADA)
    assert tenant.records.count("users-by-email") == 3


@pytest.mark.parametrize("status", [400, 404])
async def test_an_id_that_the_tenant_does_not_know_is_nobody(provider, tenant, status):
    tenant.faults.status(status, "users.get")
    with pytest.raises(UserNotFound):
        await provider.directory.resolve("auth0|ada")


async def test_a_redirect_is_not_followed_with_the_token(provider, server):
    server.tenant.faults.redirect(f"https://{server.tenant.domain}/elsewhere", "users.get")
    within(0.5)
    with pytest.raises(ProviderUnavailable):
        await provider.directory.resolve("auth0|ada")
    assert server.tenant.records.count("unknown") == 0


async def test_no_cookie_of_the_tenant_comes_back(provider, tenant):
    tenant.faults.add("reply", "users.get", status=503, headers={"Set-Cookie": "did=1; Path=/"}, times=1)
    await provider.directory.resolve("auth0|ada")
    assert "cookie" not in tenant.records.of("users.get")[-1].headers


async def test_nothing_packed_is_asked_for(provider, tenant):
    await provider.directory.resolve("auth0|ada")
    assert tenant.records.of("users.get")[0].headers["accept-encoding"] == "identity"
