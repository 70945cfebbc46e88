# SPDX-License-Identifier: MIT
"""The whole service on Authelia, through its own connection, and NATS in trouble."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from app.domain.errors import ProviderUnavailable
from app.domain.users import Address
from app.main import running
from app.settings import HttpSettings
from providers.authelia import authelia_provider
from tests.support.authelia import populated
from tests.support.parts import caller
from tests.support.people import ada
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE, time_left

NEW = Address("new@example.org")
GRACE = caller("grace.hopper")
READ = "lfx.auth-service.user_metadata.read"


@pytest.fixture
def own_server():
    with nats_server() as server:
        yield server


@pytest.mark.usefixtures("people")
async def test_it_is_ready_once_its_buckets_are_open_and_drains_without_losing_a_kv_answer(stage):
    stage.userinfo.claims["authelia_at_ada"] = {"preferred_username": "ada", "sub": ada.subject}
    settings = stage.settings()
    settings.http = HttpSettings(port=0, bind="127.0.0.1")
    client = await connect(stage.url)  # its flush does not overtake what is still to be written

    def create(given, connection):
        return authelia_provider(given, connection, kubernetes=stage.api)

    async with running(settings, create) as service:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.http_port}", timeout=PATIENCE) as web:
            before = await web.get("/readyz")
            await service.broker.start()
            async with asyncio.timeout(PATIENCE):
                while "kubernetes: ok" not in (text := (await web.get("/readyz?verbose")).text):  # noqa: ASYNC110 - asked over HTTP
                    await asyncio.sleep(0.02)
            after = await web.get("/readyz")
            metrics = (await web.get("/metrics")).text
        # The first one makes the client's inbox; each of the others is sent in its first step.
        await client.request(READ, b"authelia_at_ada", timeout=60)
        asked = [asyncio.create_task(client.request(READ, b"authelia_at_ada", timeout=60)) for _ in range(100)]
        await asyncio.sleep(0)
        await client.flush()
    replies = {json.loads(reply.data)["success"] for reply in await asyncio.gather(*asked)}
    await client.close()
    assert (before.status_code, after.status_code) == (503, 200)
    assert text == "nats: ok\nstorage: ok\nsigning key: ok\nkubernetes: ok"
    assert "auth_service_kv_errors_total 0.0" in metrics
    assert replies == {True}


@pytest.mark.usefixtures("people")
async def test_changes_of_one_user_at_once_take_turns_in_a_process_and_are_all_there(stage):
    fields = ("city", "bio", "name", "country", "job_title", "address", "postal_code", "organization")
    async with stage.replica() as provider:
        await asyncio.gather(*(provider.profiles.update_metadata(GRACE, {field: "x"}) for field in fields))
        stored = await provider.directory.by_username("grace.hopper")
        assert provider.measurements()["auth_service_kv_conflicts_total"] == 0
    assert stored.user_metadata == dict.fromkeys(fields, "x")


async def test_a_restart_of_nats_is_not_noticed_by_a_read(stage, own_server):
    stage.url = own_server.url
    client = await connect(own_server.url)
    await populated(client.jetstream())
    await client.close()
    async with stage.replica() as provider:
        assert (await provider.directory.by_subject(ada.subject)).username == "ada"
        own_server.stop()
        time_left(PATIENCE)
        reading = asyncio.create_task(provider.directory.by_subject(ada.subject))
        await asyncio.sleep(0.3)
        own_server.start()
        assert (await reading).username == "ada"


async def test_nats_away_is_an_outage(stage, own_server):
    stage.url = own_server.url
    async with stage.replica() as provider:
        own_server.stop()
        time_left(1)
        with pytest.raises(ProviderUnavailable):
            await provider.directory.by_subject(ada.subject)
        own_server.start()
