# SPDX-License-Identifier: MIT
"""deploy/nats/accounts.conf on a real nats-server: what it lets everybody do, and nothing more."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import nats as nats_py
import pytest

from app.main import running
from app.settings import HttpSettings, NatsSettings, Settings
from providers.auth0.events.lease import Lease
from routers import subjects
from tests.support.accounts import accounts
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import until

PREFIX = "lfx.auth-service."
BUCKETS = ("authelia-users", "authelia-email-otp", "authelia-otp-ledger", "authelia-claims", "authelia-signing-key")


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    with accounts(tmp_path_factory.mktemp("nats")) as bus:
        yield bus


async def _no_reply(client, subject: str, body: bytes = b"") -> bool:
    """Tell whether a request gets no reply; by then the client has heard what it was refused for."""
    try:
        await client.request(subject, body, timeout=0.3)
    except (TimeoutError, nats_py.errors.Error):
        await client.flush()
        return True
    return False


async def test_nobody_without_a_key_gets_in(bus):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(bus.url.rpartition(":")[2]))
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    assert await reader.readline() == b"-ERR 'Authorization Violation'\r\n"
    writer.close()
    await writer.wait_closed()


async def test_the_service_answers_all_16_subjects_to_whoever_may_ask_them(bus):
    async with bus.service() as service, bus.user("LFX_ONE") as (client, refused):
        for subject in subjects():
            body = subject.example.send
            text = body if isinstance(body, str) else json.dumps(body)
            assert (await client.request(subject.address, text.encode(), timeout=60)).data
        assert (refused, service.broker.state, service.broker.last_error) == ([], "", "")


async def test_200_requests_with_one_inbox_get_200_replies(bus):
    async with bus.service(), bus.user("LFX_ONE") as (client, _):
        replies = await client.subscribe("_INBOX.lfx-one.all")
        for _ in range(200):
            await client.publish(PREFIX + "username_to_sub", b"ada", reply="_INBOX.lfx-one.all")
        assert {(await replies.next_msg(timeout=60)).data for _ in range(200)} == {b"auth0|ada"}


async def test_the_event_reaches_who_follows_changes(bus):
    async with bus.service(), bus.user("LFX_ONE") as (client, _), bus.user("V1_SYNC") as (follower, refused):
        events = await follower.subscribe("lfx.user_profile.updated")
        await follower.flush()
        change = b'{"token":"ada-token","user_metadata":{"city":"Oslo"}}'
        await client.request(PREFIX + "user_metadata.update", change, timeout=60)
        assert json.loads((await events.next_msg(timeout=60)).data)["user_id"] == "auth0|ada"
        assert refused == []


async def test_an_operator_sees_the_service_and_can_ask_it_nothing(bus):
    async with bus.service(), bus.user("OPERATOR") as (client, refused):
        assert json.loads((await client.request("$SRV.PING", timeout=60)).data)["name"] == "lfx-v2-auth-service"
        assert await _no_reply(client, PREFIX + "username_to_sub", b"ada")
        assert len(refused) == 1


@pytest.mark.parametrize(
    "name",
    [
        s.name
        for s in subjects()
        if not s.name.startswith(("email_to", "username_to")) and not s.name.endswith("s.read")
    ],
)
async def test_who_only_looks_people_up_cannot_act(bus, name):
    if name == "user_metadata.read":
        return
    async with bus.service() as service, bus.user("PROJECT_SERVICE") as (client, refused):
        assert await _no_reply(client, PREFIX + name, b"{}")
        assert refused == [f'nats: permissions violation for publish to "{PREFIX}{name}"']
        assert (await client.request(PREFIX + "username_to_sub", b"ada", timeout=60)).data == b"auth0|ada"
        assert service.telemetry.requests.subjects[name].requests == 0


@pytest.mark.parametrize("name", ["PROJECT_SERVICE", "LFX_ONE", "V1_SYNC", "OPERATOR"])
@pytest.mark.parametrize(
    "subject",
    [
        ">",
        "lfx.>",
        "lfx.auth-service.>",
        "lfx.auth-service.password.update",
        "lfx.auth-service.internal.forget",
        "_INBOX.>",
        "_INBOX.*.>",
        "_INBOX.lfx-auth-service.>",
        "_INBOX.somebody-else.>",
        "$JS.>",
        "$KV.>",
        "$SRV.PING",
    ],
)
async def test_no_caller_can_listen_to_others(bus, name, subject):
    async with bus.user(name) as (client, refused):
        await client.subscribe(subject)
        await client.subscribe(subject, queue="lfx.auth-service.queue")
        await client.flush()
        assert len(refused) == 2


@pytest.mark.parametrize("name", ["PROJECT_SERVICE", "LFX_ONE", "V1_SYNC", "OPERATOR"])
@pytest.mark.parametrize(
    "subject",
    [
        "_INBOX.lfx-one.x",
        "_INBOX.lfx-auth-service.x",
        "lfx.user_profile.updated",
        "lfx.auth-service.internal.forget",
        "$KV.authelia-users.bob",
        "$JS.API.INFO",
    ],
)
async def test_no_caller_can_speak_for_others(bus, name, subject):
    async with bus.user(name) as (client, refused):
        await client.publish(subject, b"x")
        await client.flush()
        assert len(refused) == 1


@pytest.mark.parametrize("subject", ["lfx.auth-service.>", "lfx.project.>", "_INBOX.lfx-one.>", "$KV.>", ">"])
async def test_the_service_can_listen_to_nothing_but_its_share_of_requests(bus, subject):
    async with bus.user("AUTH_SERVICE", "_INBOX.lfx-auth-service") as (client, refused):
        await client.subscribe(subject)
        await client.subscribe(subject, queue="another")
        await client.flush()
        assert len(refused) == 2


@pytest.mark.parametrize("subject", ["lfx.auth-service.email_to_sub", "lfx.project.create", "$KV.x.y", "$JS.API.INFO"])
async def test_the_service_can_speak_to_nobody_but_who_asked(bus, subject):
    async with bus.user("AUTH_SERVICE", "_INBOX.lfx-auth-service") as (client, refused):
        await client.publish(subject, b"x")
        await client.flush()
        assert len(refused) == 1


@pytest.mark.parametrize("user", ["AUTH_SERVICE", "AUTH_SERVICE_AUTHELIA"])
async def test_every_replica_hears_what_another_one_tells(bus, user):
    subject = "lfx.auth-service.internal.forget"
    async with bus.user(user) as (one, refused), bus.user(user) as (other, also_refused):
        heard = [await client.subscribe(subject) for client in (one, other)]
        await other.flush()
        await one.publish(subject, b"x")
        assert [(await each.next_msg(timeout=60)).data for each in heard] == [b"x", b"x"]
        assert (refused, also_refused) == ([], [])


async def test_a_reply_to_another_subject_than_an_inbox_is_refused_by_nats_and_the_service_stays_well(bus):
    async with bus.service() as service, bus.user("LFX_ONE") as (client, _):
        await client.publish(PREFIX + "username_to_sub", b"ada", reply="index.project")
        assert (await client.request(PREFIX + "username_to_sub", b"ada", timeout=60)).data == b"auth0|ada"
        await until(lambda: "index.project" in service.broker.last_error)
        assert service.broker.state == ""


async def test_with_authelia_the_service_can_make_read_write_and_watch_its_buckets(bus):
    async with bus.user("AUTH_SERVICE_AUTHELIA", "_INBOX.lfx-auth-service") as (client, refused):
        jetstream = client.jetstream(timeout=30)
        changes = await client.subscribe("$KV.authelia-users.>")
        for bucket in BUCKETS:
            await jetstream.create_key_value(bucket=bucket)
            await jetstream.key_value(bucket)
            await jetstream.publish(f"$KV.{bucket}.a/b", b"x")
            await jetstream.stream_info(f"KV_{bucket}", subjects_filter=f"$KV.{bucket}.>")
            assert (await jetstream.get_msg(f"KV_{bucket}", subject=f"$KV.{bucket}.a/b")).data == b"x"
        assert (await changes.next_msg(timeout=60)).subject == "$KV.authelia-users.a/b"
        assert refused == []


async def test_the_service_can_make_the_bucket_of_the_lease_take_it_and_release_it(bus):
    async with (
        bus.user("AUTH_SERVICE", "_INBOX.lfx-auth-service") as (client, refused),
        bus.user("AUTH_SERVICE", "_INBOX.lfx-auth-service") as (other, also_refused),
    ):
        lease, waits = Lease(client), Lease(other)
        assert (await lease.take(), await waits.take()) == (True, False)
        assert await lease.renew("o1", release=True)
        assert (await waits.take(), waits.offset, await lease.renew("o2")) == (True, "o1", False)
        assert (refused, also_refused) == ([], [])


@pytest.mark.parametrize("subject", ["DELETE.KV_authelia-users", "PURGE.KV_authelia-users", "LIST"])
async def test_with_authelia_the_service_can_remove_no_bucket(bus, subject):
    async with bus.user("AUTH_SERVICE_AUTHELIA", "_INBOX.lfx-auth-service") as (client, refused):
        assert await _no_reply(client, f"$JS.API.STREAM.{subject}")
        assert len(refused) == 1


@asynccontextmanager
async def _service_with(folder: Path, permissions: str):
    file = folder / "other.conf"
    file.write_text(
        f"""authorization {{ users: [
          {{ user: service, password: s3cret, permissions: {permissions} }}
          {{ user: anybody, password: s3cret }}
        ] }}""",
        encoding="utf-8",
    )
    with nats_server(0, "-c", str(file)) as server:
        settings = Settings(
            NatsSettings(servers=(server.url,), user="service", password="s3cret"),
            HttpSettings(port=0, bind="127.0.0.1"),
        )
        async with running(settings) as service:
            await service.broker.start()
            async with await connect(server.url, user="anybody", password="s3cret") as client:
                yield service, client


async def test_without_a_permission_for_the_services_protocol_the_service_is_ready_and_serves(tmp_path):
    may = '{ publish: "_INBOX.>", subscribe: { allow: ["lfx.auth-service.>", "_INBOX.>"] } }'
    async with _service_with(tmp_path, may) as (service, client):
        assert (await client.request(PREFIX + "username_to_sub", b"ada", timeout=60)).data == b"auth0|ada"
        assert service.broker.state == ""
        assert "permissions violation" in service.broker.last_error


async def test_without_a_permission_for_its_subjects_the_service_is_not_ready(tmp_path):
    async with _service_with(tmp_path, '{ publish: "_INBOX.>", subscribe: "$SRV.>" }') as (service, _):
        assert service.broker.state.startswith("not subscribed")


async def test_with_allow_responses_a_caller_would_reach_what_the_service_is_denied(tmp_path):
    may = '{ publish: { deny: "other.>" }, subscribe: ">", allow_responses: true }'
    async with _service_with(tmp_path, may) as (_, client):
        seen = await client.subscribe("other.service")
        await client.publish(PREFIX + "username_to_sub", b"ada", reply="other.service")
        assert (await seen.next_msg(timeout=60)).data == b"auth0|ada"
