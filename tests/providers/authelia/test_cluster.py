# SPDX-License-Identifier: MIT
"""Three NATS servers, buckets with three replicas, and the server that leads them killed while the service reads."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from app.bus.nats.client import ReconnectingClient
from app.observability.upstream_metrics import UpstreamTelemetry
from providers import Dependencies
from providers.authelia import authelia_provider
from tests.support.authelia import Stage, populated, users_file, without_buckets
from tests.support.cluster import cluster, leader_of
from tests.support.raw_client import connect
from tests.support.replicas import replicas_of
from tests.support.waiting import PATIENCE, time_left, until

USERS = "authelia-users"
ADA = {"name": "Ada Lovelace", "city": "London", "country": "GB"}
REQUEST_TIME = 30.0
"""Seconds for a request: an election may take ten, and no read shall be at its end before."""
LATE = 12.0
"""Seconds after the election within which each read is answered, on a busy machine too: an attempt lasts for one.

A read that did not hear of the election would wait to the end of its time."""


@pytest.fixture
def three():
    with cluster() as servers:
        yield servers


@pytest_asyncio.fixture
async def leader(three):
    """Who leads the bucket of users."""
    await three.ready()
    client = await connect(three.urls())
    await without_buckets(client.jetstream())
    await populated(client.jetstream(), replicas=3)
    yield await leader_of(client, USERS)
    await client.close()


@pytest_asyncio.fixture
async def stage(three, leader):
    async with Stage(three.urls(but=leader)[0]).serving() as stage:
        stage.kubernetes.file = users_file()
        stage.userinfo.claims["authelia_at_ada"] = {"preferred_username": "ada", "sub": "auth0|ada"}
        yield stage


READS = [
    ("user_metadata.read", "ada", {"success": True, "data": ADA}),
    ("user_metadata.read", "authelia_at_ada", {"success": True, "data": ADA}),
    ("user_metadata.read", "auth0|ada", {"success": True, "data": ADA}),
    ("user_metadata.read", "nobody", {"success": False, "error": "user not found"}),
]


async def test_no_read_is_lost_or_late_when_the_leader_is_killed(three, stage, leader):
    """Neither the service nor who asks it is connected to that server: what was in its hands would be lost with it."""
    stop, answers = asyncio.Event(), []
    others = tuple(three.urls(but=leader))
    async with replicas_of(stage, 2, others, REQUEST_TIME, kv_replicas=3) as service:

        async def reading(name, body, expected):
            while not stop.is_set():
                asked = time.monotonic()
                reply = await service.ask(name, body)
                answers.append((asked, time.monotonic(), "right" if reply == expected else json.dumps(reply)))
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as readers:
            for read in READS * 6:
                readers.create_task(reading(*read))
            await until(lambda: len(answers) > 100, 60)
            three.kill(leader)
            killed = time.monotonic()
            await leader_of(service.client, USERS, but=leader)
            elected, known = time.monotonic(), len(answers)
            await until(lambda: len(answers) > known + 200, 60)
            stop.set()
    assert Counter(reply for _, _, reply in answers) == {"right": len(answers)}
    # Each reader had a read in hand while there was no leader: an election takes seconds.
    waiting = [answered - elected for asked, answered, _ in answers if asked < elected and answered - asked > 1]
    assert len(waiting) >= len(READS * 6)
    print(f"elected after {elected - killed:.1f} s; {len(waiting)} reads waited, the last {max(waiting):.2f} s more")  # noqa: T201 - a figure that is looked at by hand
    assert max(waiting) < LATE


async def test_reads_go_on_when_the_service_was_connected_to_the_server_that_is_killed(three, stage, leader):
    client = ReconnectingClient()
    await client.connect(
        three.urls(first=leader),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,
        dont_randomize=True,
        connect_timeout=PATIENCE,
    )
    assert client.connected_url.port == three.servers[leader].port
    dependencies = Dependencies(nats=client, upstream=UpstreamTelemetry(CollectorRegistry()))
    async with authelia_provider(stage.settings(kv_replicas=3), dependencies, kubernetes=stage.api) as provider:
        await until(lambda: not any(provider.readiness().values()), 60)

        async def read():
            time_left(REQUEST_TIME)
            return (await provider.directory.resolve("ada")).username

        reads = []
        for _ in range(50):
            reads.append(asyncio.create_task(read()))
            await asyncio.sleep(0.01)
            if len(reads) == 20:
                three.kill(leader)
        assert await asyncio.gather(*reads) == ["ada"] * 50
    await client.close()
