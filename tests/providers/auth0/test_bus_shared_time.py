# SPDX-License-Identifier: MIT
"""The time of reads, as callers and operators see it: who shares one has its own, and the log has the reason."""

from __future__ import annotations

import asyncio
import time

import pytest
from loguru import logger

from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("on_nats")
LIMITED = "identity provider rate limit reached, try again later"


async def test_a_request_that_joined_an_older_ones_read_has_all_its_time(tenant):
    """The older one has until 3.6 s, the tenant answers after 4 to 4.5 s."""
    async with on_the_bus(request_timeout="4s") as bus:
        tenant.faults.too_many("users.get", retry_after="4", times=1)
        older = asyncio.create_task(bus.ask("user_metadata.read", "auth0|ada"))
        await until(lambda: tenant.records.count("users.get") == 1)
        await asyncio.sleep(2.4)
        newer = asyncio.create_task(bus.ask("user_metadata.read", "auth0|ada"))
        assert await older == LIMITED
        assert (await newer)["success"]
    assert tenant.records.count("users.get") == 2


@pytest.mark.parametrize("status", [503, 429])
async def test_the_log_has_the_reason_when_the_time_ends(tenant, status):
    records = []
    async with on_the_bus(request_timeout="4s") as bus:
        tenant.faults.status(status, "users.get")
        handler = logger.add(lambda message: records.append(message.record), level="WARNING")
        try:
            reply = await bus.ask("user_metadata.read", "auth0|ada")
        finally:
            logger.remove(handler)
    assert reply == (LIMITED if status == 429 else UNAVAILABLE)
    [cause] = [record["extra"]["cause"] for record in records if record["message"] == "request failed"]
    assert cause.endswith(f"get_user failed: status {status}")


async def test_a_limit_lasts_as_long_as_the_tenant_says_though_its_clock_is_ahead(tenant):
    tenant.skew = 29
    async with on_the_bus(request_timeout="8s") as bus:
        tenant.faults.too_many("users.get", reset=int(time.time()) + 29 + 2, times=1)
        assert (await bus.ask("user_metadata.read", "auth0|ada"))["success"]
    assert tenant.records.count("users.get") == 2
