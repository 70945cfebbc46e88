# SPDX-License-Identifier: MIT
"""What others change in the tenant is seen by every replica, through the tenant's own events.

`EVENTS_CHANGES`: how many changes are made. Three replicas, a real NATS server with JetStream. From a thousand changes
on, the stream is closed fifty times, and two more readers are killed in the middle of them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import sys
import time
from contextlib import ExitStack

import pytest

from tests.stand_ins.auth0.process import tenant_process
from tests.support.fleet import PREFIX
from tests.support.raw_client import connect
from tests.support.waiting import until
from tests.system.processes import process

CHANGES = int(os.environ.get("EVENTS_CHANGES", "60"))
MANY = CHANGES >= 1000
CLOSINGS = 50 if MANY else 5
KILLED_AT = {CHANGES // 3, 2 * CHANGES // 3} if MANY else set()
AT_ONCE = 8 if MANY else 1
USERS = 100
SEEN_WITHIN = float(os.environ.get("EVENTS_SEEN_WITHIN", "60"))
"""Seconds. What is not heard of stays hidden for ten minutes; on a quiet machine 2 holds."""


@pytest.fixture
def fleet(nats, tmp_path):
    with ExitStack() as running:
        tenant = running.enter_context(tenant_process(users=USERS, records=False, events=True))
        tenant.do(events={"heartbeat": 0.5, "connections": 3})
        variables = {**tenant.environment, "COVERAGE_PROCESS_CONFIG": "", "READ_STALE_FOR": "0"}

        def start():
            return running.enter_context(process(nats.url, tmp_path, **variables))

        replicas = [start() for _ in range(3)]
        for replica in replicas:
            replica.until_ready()
        yield tenant, replicas, start


def calls(tenant):
    return sum(count for name, count in tenant.stats()["calls"].items() if name.startswith("users"))


class Asking:
    """Asks for users, through the queue group: every replica answers some."""

    def __init__(self, client):
        self.client = client

    async def city(self, number):
        body = f"auth0|user{number:05}".encode()
        reply = json.loads((await self.client.request(f"{PREFIX}user_metadata.read", body, timeout=60)).data)
        assert reply["success"], reply
        return reply["data"].get("city")

    async def saves_calls(self, tenant):
        """Wait until answers are given without a call in every replica: 30 reads one after the other without one."""
        for _ in range(120):
            await self.city(0)
            before = calls(tenant)
            for _ in range(30):
                await self.city(0)
            if calls(tenant) == before:
                return
            await asyncio.sleep(0.25)
        raise AssertionError("the event stream is closed")

    async def seen(self, number, city):
        """Read until twelve answers in a row show the change; seconds until then."""
        begun, last, good = time.monotonic(), time.monotonic(), 0
        while good < 12 and time.monotonic() < begun + 120:
            if await self.city(number) == city:
                good += 1
            else:
                good, last = 0, time.monotonic()
        assert good == 12, "a change was missed"
        return last - begun


async def changed(asking, tenant, number, city):
    change = {f"auth0|user{number:05}": {"user_metadata": {"city": city}}}
    await asyncio.to_thread(tenant.do, change=change)
    return await asking.seen(number, city)


async def reading(replicas):
    """Return the replicas that read the stream."""
    pages = [await asyncio.to_thread(one.get, "/metrics") for one in replicas]
    return [one for one, page in zip(replicas, pages, strict=True) if "auth0_events_reads 1.0" in page[1]]


async def opened(tenant, times):
    """Wait until a stream is open, and so many have been opened in all."""

    async def are_there():
        streams = (await asyncio.to_thread(tenant.stats))["streams"]
        return streams["open"] and streams["opened"] >= times

    await until(are_there, 60)


async def closed(tenant, times, **more):
    """Close the stream that was opened as the one of that number, in the middle of what goes on."""
    await opened(tenant, times)
    await asyncio.to_thread(tenant.do, events={"close": True, **more})


def test_changes_are_seen_through_closings_a_refused_offset_and_a_killed_reader(fleet, nats):
    tenant, replicas, start = fleet

    async def story():
        client = await connect(nats.url)
        asking, rng, slowest, times = Asking(client), random.Random(13), 0.0, itertools.count(1)
        try:
            await asking.saves_calls(tenant)
            assert (await asyncio.to_thread(tenant.stats))["streams"]["open"] == 1
            for number in range(0, CHANGES, AT_ONCE):
                if number % max(1, CHANGES // CLOSINGS) < AT_ONCE:
                    await closed(tenant, next(times))
                if KILLED_AT & set(range(number, number + AT_ONCE)):
                    await opened(tenant, next(times))
                    slowest = max(slowest, await killed(asking))
                    replicas.append(start())
                    await asyncio.to_thread(replicas[-1].until_ready)
                users = rng.sample(range(USERS), AT_ONCE)
                seen = await asyncio.gather(*(changed(asking, tenant, user, f"c{number}") for user in users))
                slowest = max(slowest, *seen)
            await asking.saves_calls(tenant)
            await closed(tenant, next(times), expire=True)
            slowest = max(slowest, await changed(asking, tenant, 1, "after a refused offset"))
            await asking.saves_calls(tenant)
            await opened(tenant, next(times))
            slowest = max(slowest, await killed(asking))
            await left(client)
        finally:
            await client.close()
        return slowest

    async def killed(asking):
        """Kill the replica that reads; what is changed while nobody reads is seen, and another reads on."""
        await asking.city(7)
        reader = (await reading(replicas))[0]
        replicas.remove(reader)
        await asyncio.to_thread(reader.end, signal.SIGKILL)
        ended = time.monotonic()
        seen = await changed(asking, tenant, 7, f"while nobody read {ended}")
        while not await reading(replicas):
            assert time.monotonic() < ended + 60, "nobody took over"
            await asyncio.sleep(0.1)
        await asking.saves_calls(tenant)
        assert (await asyncio.to_thread(tenant.stats))["streams"]["open"] == 1
        return seen

    async def left(client):
        """End the replica that reads as Kubernetes does: when it is gone, its lease is free or somebody else's."""
        leases = await client.jetstream().key_value("auth0-events")
        holder = json.loads((await leases.get("reader")).value)["holder"]
        (reader,) = await reading(replicas)
        assert await asyncio.to_thread(reader.end) == 0
        assert json.loads((await leases.get("reader")).value)["holder"] != holder

    slowest = asyncio.run(story())
    sys.stdout.write(f"the slowest of {CHANGES} changes was seen after {slowest:.2f} s\n")
    assert slowest <= SEEN_WITHIN
