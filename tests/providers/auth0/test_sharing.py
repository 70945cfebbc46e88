# SPDX-License-Identifier: MIT
"""Which reads share a call: those begun within 50 ms of its being sent, and never past a change that is known."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing

import pytest

from app.domain.reads import ReadContext
from app.settings.reads import ReadSettings
from providers.auth0.tenant import client
from providers.remembering import Remembering
from tests.providers.auth0.bus import on_the_bus
from tests.providers.auth0.conftest import ready
from tests.providers.auth0.users import caller
from tests.support.waiting import until

PAST = 0.1
"""Seconds after which a read that was sent is not joined any more; twice what it may be."""


async def test_a_read_joins_none_that_was_sent_long_before(provider, tenant, counts):
    tenant.faults.add("delay", "users.get", seconds=0.5, times=1)
    before = asyncio.create_task(provider.directory.resolve("auth0|ada"))
    await until(lambda: tenant.records.count("users.get") == 1)
    await asyncio.sleep(PAST)
    await provider.directory.resolve("auth0|ada")
    assert tenant.records.count("users.get") == 2
    assert counts.shared["get_user"] == 0
    await before


async def test_a_read_that_waits_to_be_sent_is_joined_however_long_it_waits(provider, tenant, counts):
    """What it will be told is as new as the answer that any other would get."""
    tenant.faults.too_many("users.get", retry_after="1", times=1)
    first = asyncio.create_task(provider.directory.resolve("auth0|ada"))
    await until(lambda: tenant.records.count("users.get") == 1)
    await asyncio.sleep(3 * PAST)
    others = [asyncio.create_task(provider.directory.resolve("auth0|ada")) for _ in range(5)]
    await asyncio.gather(first, *others)
    assert tenant.records.count("users.get") == 2
    assert counts.shared["get_user"] == 5


class Alone:
    """What remembered answers need of the service, where no other replica is there and every request has its turn."""

    stands, unheard = True, False

    def nothing(self, *_: object) -> None:
        """Nobody sends anything, and nothing is counted."""

    listen = answered = watch = forget_received = nothing

    async def tell(self, message: bytes) -> bool:
        return bool(message)

    async def turn(self, within: float = 0.0) -> bool:
        return within >= 0


async def test_what_is_read_after_changes_were_missed_is_not_older_than_they_are(opened, tenant, monkeypatch):
    """The change itself is made in the tenant, while an earlier read is under way, and no event tells of it."""
    monkeypatch.setattr(client, "SHARED_FOR", 30.0)  # what is 50 ms otherwise, which a busy machine is past too soon
    alone = Alone()
    context = ReadContext(broadcast=alone, notes=alone, turn=alone.turn, request_timeout=2.0)
    async with opened() as provider, aclosing(Remembering(ReadSettings(fresh_for=600.0), context)) as answers:
        await ready(provider)
        directory = answers.over(provider).directory
        tenant.faults.add("delay", "users.get", seconds=0.3, times=1)
        before = asyncio.create_task(directory.resolve("auth0|ada"))
        await until(lambda: tenant.records.count("users.get") == 1)
        tenant.accounts.change(tenant.user("ada"), user_metadata={"city": "Oslo"})
        await answers.forget_fresh()
        cities = [(await directory.resolve("auth0|ada")).user_metadata["city"] for _ in range(2)]
        assert (cities, tenant.records.count("users.get")) == (["Oslo", "Oslo"], 2)
        await before


async def test_no_read_through_another_replica_is_older_than_a_confirmed_change(opened, tenant):
    """One replica has a read in flight, another changes the user, and whoever asks the first is told the change."""
    async with AsyncExitStack() as replicas:
        providers = [await replicas.enter_async_context(opened()) for _ in range(3)]
        for provider in providers:
            await ready(provider)

        async def stale(number: int) -> int:
            name = f"user{number}"
            tenant.add_user(f"auth0|{name}", username=name, metadata={"city": "before"})
            # Each is answered with what there was when it came, and late.
            tenant.faults.add("delay", f"GET /api/v2/users/auth0|{name}", seconds=1.0, times=3)
            asked = tenant.records.count("users.get")
            before = [asyncio.create_task(one.directory.resolve(f"auth0|{name}")) for one in providers]
            await until(lambda: tenant.records.count("users.get") == asked + 3)
            await asyncio.sleep(PAST)
            await providers[number % 3].profiles.update_metadata(caller(tenant, name), {"city": "after"})
            found = await asyncio.gather(*(one.directory.resolve(f"auth0|{name}") for one in providers))
            for task in before:
                task.cancel()
            return sum(user.user_metadata["city"] != "after" for user in found)

        assert sum([await stale(number) for number in range(36)]) == 0  # of 108


@pytest.mark.usefixtures("on_nats")
async def test_no_read_on_the_bus_is_older_than_a_confirmed_change(tenant):
    """Three services with readers that never pause, to whom a change is confirmed 0.1 s after it was made."""
    token = tenant.access_token("ada")
    stopped = asyncio.Event()
    async with AsyncExitStack() as replicas:
        bus, *_ = [await replicas.enter_async_context(on_the_bus()) for _ in range(3)]
        tenant.faults.add("delay", "users.get", seconds=0.4)
        tenant.faults.add("delay", "users.update", seconds=0.1)

        async def read_on() -> None:
            while not stopped.is_set():
                await bus.ask("user_metadata.read", "auth0|ada")

        readers = [asyncio.create_task(read_on()) for _ in range(12)]
        stale = 0
        for change in range(18):
            city = f"city {change} at {time.monotonic()}"
            done = await bus.ask("user_metadata.update", {"token": token, "user_metadata": {"city": city}})
            assert done["data"]["city"] == city
            found = await bus.ask_all({f"user_metadata.read {n}": "auth0|ada" for n in range(6)})
            stale += sum(reply["data"]["city"] != city for reply in found.values())
        stopped.set()
        await asyncio.gather(*readers)
    assert stale == 0  # of 108
