# SPDX-License-Identifier: MIT
"""A rate limit that one request meets is one that the others wait for, not one that each finds out."""

from __future__ import annotations

import asyncio

import pytest

from tests.providers.auth0.bus import on_the_bus
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("on_nats")
AT_ONCE = 10


def refused(tenant, pattern):
    return sum(exchange.status == 429 for exchange in tenant.records.of(pattern))


async def asked_at_a_limit(bus, tenant, operation, subject, bodies):
    """Send some requests, when one of these is refused the rest, then lift the limit; return all replies."""
    asked = [asyncio.create_task(bus.ask(subject, body)) for body in bodies[:AT_ONCE]]
    await until(lambda: refused(tenant, operation))
    asked += [asyncio.create_task(bus.ask(subject, body)) for body in bodies[AT_ONCE:]]
    await asyncio.sleep(0.3)
    tenant.faults.clear()
    return await asyncio.gather(*asked)


async def test_a_hundred_reads_find_a_limit_out_once_for_all(tenant):
    """What comes after the first refusal waits: only those that were in flight with it are refused too."""
    async with on_the_bus() as bus:
        tenant.faults.too_many("users.get", retry_after="3")
        nobodies = [f"auth0|nobody{n}" for n in range(100)]
        replies = await asked_at_a_limit(bus, tenant, "users.get", "user_metadata.read", nobodies)
    assert replies == ["user not found"] * 100
    assert refused(tenant, "users.get") <= AT_ONCE
    assert tenant.records.count("users.get") == 100 + refused(tenant, "users.get")


async def test_a_hundred_writes_find_a_limit_out_once_for_all(tenant):
    token = tenant.access_token("ada")
    async with on_the_bus() as bus:
        tenant.faults.too_many("users.update", retry_after="3")
        bodies = [{"token": token, "user_metadata": {"city": f"Oslo {n}"}} for n in range(100)]
        replies = await asked_at_a_limit(bus, tenant, "users.update", "user_metadata.update", bodies)
    assert all(reply["success"] for reply in replies)
    assert refused(tenant, "users.update") <= AT_ONCE
    assert tenant.records.count("users.update") == 100 + refused(tenant, "users.update")


@pytest.mark.parametrize(("limited", "free"), [("users.get", "users.update"), ("users.update", "users.get")])
async def test_reads_and_writes_wait_apart(tenant, limited, free):
    token = tenant.access_token("ada")
    requests = {
        "users.get": ("user_metadata.read", "auth0|ada"),
        "users.update": ("user_metadata.update", {"token": token, "user_metadata": {"city": "Oslo"}}),
    }
    async with on_the_bus(request_timeout="5s") as bus:
        tenant.faults.too_many(limited, retry_after="30", times=1)
        waiting = asyncio.create_task(bus.ask(*requests[limited]))
        await until(lambda: tenant.records.count(limited) == 1)
        assert (await bus.ask(*requests[free]))["success"]
        assert tenant.records.count(free) == 1
        assert tenant.records.count(limited) == 1
        assert await waiting == "identity provider rate limit reached, try again later"


async def test_a_read_that_finds_the_limit_known_is_told_of_it(tenant):
    async with on_the_bus(request_timeout="2s") as bus:
        tenant.faults.too_many("users.get", retry_after="30")
        for reference in ("auth0|ada", "auth0|ada", "auth0|linus_t"):
            told = await bus.ask("user_metadata.read", reference)
            assert told == "identity provider rate limit reached, try again later"
    assert tenant.records.count("users.get") == 1
