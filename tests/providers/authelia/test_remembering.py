# SPDX-License-Identifier: MIT
"""Remembered answers on Authelia: storage and userinfo away, changes through another replica, what makes it forget."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from app.settings.reads import ReadSettings
from tests.support.authelia import populated
from tests.support.people import ada, grace
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.replicas import replicas_of
from tests.support.waiting import until

FORGET = "lfx.auth-service.internal.forget"
TOKEN = "authelia_at_grace"
UNAVAILABLE = {"success": False, "error": "identity provider unavailable"}
FRESH = ReadSettings(fresh_for=600)
STALE = ReadSettings(patience=0.3)
READS = [
    ("email_to_username", "ada@example.org"),
    ("email_to_sub", "ada@lovelace.example"),
    ("user_metadata.read", "ada"),
    ("user_emails.read", {"user": {"auth_token": ada.subject}}),
    ("user_identity.list", {"user": {"auth_token": "ada"}}),
]


class Storage:
    """A nats-server that lets clients ask JetStream, or does not; all else goes on."""

    def __init__(self, file):
        self.file = file
        self.server = None

    def permit(self, *, storage):
        denied = "nothing" if storage else "$JS.API.>"
        user = f'{{user: u, password: p, permissions: {{publish: {{deny: ["{denied}"]}}}}}}'
        self.file.write_text(f"authorization: {{users: [{user}]}}\nno_auth_user: u\n")
        if self.server is not None:
            os.kill(self.server.pid, signal.SIGHUP)


@pytest.fixture
def storage(tmp_path):
    storage = Storage(tmp_path / "nats.conf")
    storage.permit(storage=True)
    with nats_server(0, "-c", str(storage.file)) as server:
        storage.server = server
        yield storage


def counted(service, metric, **labels):
    return sum(one.telemetry.registry.get_sample_value(metric, labels) or 0 for one in service.services)


@asynccontextmanager
async def stale_replica(stage, storage):
    stage.url = storage.server.url
    stage.userinfo.claims[TOKEN] = {"preferred_username": "grace.hopper", "sub": grace.subject}
    async with await connect(stage.url) as client:
        await populated(client.jetstream())
    async with replicas_of(stage, 1, seconds=3.0, reads=STALE) as service:
        yield service


async def _city(service, who):
    return (await service.ask("user_metadata.read", who))["data"].get("city")


async def _everywhere(service, subject, body):
    """Ask until every replica has had the chance to answer; return the one reply that all gave."""
    replies = await asyncio.gather(*(service.ask(subject, body) for _ in range(30)))
    assert all(reply == replies[0] for reply in replies), replies
    return replies[0]


async def _move(service, city):
    body = {"token": TOKEN, "user_metadata": {"city": city}}
    assert (await service.ask("user_metadata.update", body))["success"]


async def test_while_storage_is_away_who_was_read_before_is_found_and_who_was_not_is_an_error(stage, storage):
    async with stale_replica(stage, storage) as service:
        before = [await service.ask(*each) for each in READS]
        storage.permit(storage=False)
        await until(lambda: _is_stale(service))
        assert await asyncio.gather(*(service.ask(*each) for each in READS)) == before
        assert counted(service, "auth_service_reads_total", source="stale") >= len(READS)
        for who in ("linus_t", "nobody.at.all"):
            assert await service.ask("user_metadata.read", who) == UNAVAILABLE
        storage.permit(storage=True)
        await until(lambda: _is_done(service, "Turin"))
        assert await _city(service, "grace.hopper") == "Turin"


async def test_while_userinfo_is_away_a_token_is_an_error_and_names_go_on(stage, storage):
    async with stale_replica(stage, storage) as service:
        city = await _city(service, TOKEN)
        assert await _city(service, "grace.hopper") == city
        stage.userinfo.fault = 500
        assert await service.ask("user_metadata.read", TOKEN) == UNAVAILABLE
        assert await _city(service, "grace.hopper") == city


@pytest.mark.usefixtures("people")
async def test_a_change_through_one_replica_is_seen_by_the_next_read_through_every_other(stage):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "grace.hopper", "sub": grace.subject}
    async with replicas_of(stage, 3, reads=FRESH) as service:
        for number in range(5):
            for who in ("grace.hopper", grace.subject):
                await _everywhere(service, "user_metadata.read", who)
            await _move(service, f"City {number}")
            for who in ("grace.hopper", grace.subject):
                reply = await _everywhere(service, "user_metadata.read", who)
                assert reply["data"]["city"] == f"City {number}"
        assert counted(service, "auth_service_forgets_received_total") >= 3 * 5


@pytest.mark.usefixtures("people")
async def test_an_answer_in_place_of_a_call_is_given_until_somebody_says_forget(stage, js):
    async with replicas_of(stage, 1, reads=FRESH) as service:
        before = await service.ask("user_metadata.read", "ada")
        kept = await js.key_value("authelia-users")
        record = (await kept.get("ada")).value
        await kept.put("ada", record.replace(b'"London"', b'"Turin"'))
        assert await service.ask("user_metadata.read", "ada") == before
        await service.client.publish(FORGET, b"anything")
        await service.client.flush()
        assert await _city(service, "ada") == "Turin"


async def _is_stale(service):
    """Ask for somebody who was read before; whether the answer came in place of an error."""
    await service.ask("user_metadata.read", "ada")
    return counted(service, "auth_service_reads_total", source="stale")


async def _is_done(service, city):
    body = {"token": TOKEN, "user_metadata": {"city": city}}
    return (await service.ask("user_metadata.update", body))["success"]
