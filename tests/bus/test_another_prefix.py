# SPDX-License-Identifier: MIT
"""`SUBJECT_PREFIX` and `QUEUE_GROUP`: a service beside another one, on the same bus."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http.client import HTTPConnection

import pytest
from nats.errors import NoRespondersError

from app.main import running
from app.settings import HttpSettings, NatsSettings, Settings
from tests.support.command import pasted, run, started
from tests.support.ports import nats_server
from tests.support.raw_client import connect

NEXT = "lfx.auth-service-next."
QUEUE = "next.queue"
SUBJECTS = [
    "add_alias",
    "email_linking.send_verification",
    "email_linking.verify",
    "email_to_sub",
    "email_to_username",
    "impersonation.token_exchange",
    "password.reset_link",
    "password.update",
    "user_emails.read",
    "user_emails.set_primary",
    "user_identity.link",
    "user_identity.list",
    "user_identity.unlink",
    "user_metadata.read",
    "user_metadata.update",
    "username_to_sub",
]


@asynccontextmanager
async def service(url: str, **nats: str):
    """Run the service on the mock provider; give it."""
    settings = Settings(HttpSettings(port=0, bind="127.0.0.1"), NatsSettings(servers=(url,), **nats))
    async with running(settings) as running_service:
        await running_service.broker.start()
        yield running_service


def next_service(url: str):
    # The dot at the end is left out.
    return service(url, subject_prefix="lfx.auth-service-next", queue_group=QUEUE)


async def _endpoints(client) -> list[dict]:
    return json.loads((await client.request("$SRV.INFO", timeout=60)).data)["endpoints"]


async def test_all_subjects_are_served_below_it_and_none_elsewhere(nats):
    async with next_service(nats.url), await connect(nats.url) as client:
        for name in SUBJECTS:
            assert (await client.request(NEXT + name, b"{}", timeout=60)).data
            with pytest.raises(NoRespondersError):
                await client.request(f"lfx.auth-service.{name}", b"{}", timeout=60)


async def test_discovery_names_the_subjects_and_the_queue_group_as_they_are(nats):
    async with next_service(nats.url), await connect(nats.url) as client:
        endpoints = await _endpoints(client)
    assert sorted(endpoint["subject"] for endpoint in endpoints) == [NEXT + name for name in SUBJECTS]
    assert {endpoint["queue_group"] for endpoint in endpoints} == {QUEUE}


async def test_the_document_of_the_running_service_shows_them(nats):
    async with next_service(nats.url) as running_service:
        connection = HTTPConnection("127.0.0.1", running_service.http_port)
        documents = await _pages(connection)
    assert b"lfx.auth-service." not in documents["/asyncapi.json"] + documents["/asyncapi.yaml"] + documents["/docs"]
    document = json.loads(documents["/asyncapi.json"])
    addresses = sorted(one["address"] for one in document["channels"].values() if "address" in one)
    assert addresses == [*(NEXT + name for name in SUBJECTS), "lfx.user_profile.updated"]
    bindings = [one["bindings"]["nats"]["queue"] for one in document["operations"].values() if "bindings" in one]
    assert set(bindings) == {QUEUE}
    assert f"`{QUEUE}`" in document["info"]["description"]
    assert f"{NEXT}email_to_sub".encode() in documents["/docs"]


async def _pages(connection: HTTPConnection) -> dict[str, bytes]:
    def get() -> dict[str, bytes]:
        found = {}
        for path in ("/asyncapi.json", "/asyncapi.yaml", "/docs"):
            connection.request("GET", path)
            found[path] = connection.getresponse().read()
        connection.close()
        return found

    return await asyncio.to_thread(get)


async def test_two_services_side_by_side_have_a_request_each(nats):
    async with service(nats.url) as old, next_service(nats.url) as new:
        async with await connect(nats.url) as client:
            for prefix in ("lfx.auth-service.", NEXT, NEXT):
                assert (await client.request(f"{prefix}email_to_sub", b"ada@example.org")).data == b"auth0|ada"
        counts = [one.telemetry.requests.subjects["email_to_sub"].requests for one in (old, new)]
    assert counts == [1, 2]


async def test_two_queue_groups_on_one_prefix_answer_each_the_same_request(nats):
    """What the settings say is what the server is told: such a pair would double every reply."""
    both = service(nats.url), service(nats.url, queue_group=QUEUE)
    async with both[0], both[1], await connect(nats.url) as client:
        inbox = client.new_inbox()
        replies = await client.subscribe(inbox)
        await client.publish("lfx.auth-service.username_to_sub", b"ada", reply=inbox)
        assert [(await replies.next_msg(timeout=60)).data for _ in range(2)] == [b"auth0|ada"] * 2


async def test_no_reply_is_sent_to_a_subject_of_its_own(nats):
    """A caller would have the service ask itself, with what it wants in the reply."""
    async with service(nats.url, subject_prefix="elsewhere"), await connect(nats.url) as client:
        heard = await client.subscribe("elsewhere.email_to_sub")
        await client.publish("elsewhere.user_metadata.read", b"ada", reply="elsewhere.email_to_sub")
        assert (await client.request("elsewhere.username_to_sub", b"ada", timeout=60)).data == b"auth0|ada"
        await client.flush()
        assert heard.pending_msgs == 0


async def test_the_service_says_that_a_subscription_below_its_prefix_was_refused(tmp_path):
    configuration = tmp_path / "nats.conf"
    configuration.write_text(
        'authorization { users: [ { user: a, password: b, permissions: { subscribe: { deny: ["Lfx.Next.>"] } } } ] }'
    )
    with nats_server(0, "--config", str(configuration)) as server:
        async with service(server.url, subject_prefix="Lfx.Next.", user="a", password="b") as running_service:
            assert running_service.broker.state.startswith("not subscribed: ")


def test_the_command_asks_below_it_too(nats):
    variables = {"SUBJECT_PREFIX": "lfx.auth-service-next", "QUEUE_GROUP": QUEUE}
    with started("serve", NATS_URL=nats.url, PORT="0", BIND="127.0.0.1", **variables) as process:
        process.until('"ready"')
        short = run("request", "--nats-url", nats.url, "username_to_sub", "ada", **variables)
        whole = run("request", "--nats-url", nats.url, f"{NEXT}username_to_sub", "ada", **variables)
        elsewhere = run("request", "--nats-url", nats.url, "username_to_sub", "ada")
    assert (short.returncode, short.stdout) == (whole.returncode, whole.stdout) == (0, b"auth0|ada\n")
    assert b"nobody answers lfx.auth-service.username_to_sub" in elsewhere.stderr


def test_dev_prints_requests_that_reach_it(tmp_path):
    with started("dev", cwd=tmp_path, SUBJECT_PREFIX=NEXT) as process:
        process.until("Ctrl-C ends all of it")
    lines = pasted(process.output)
    assert lines
    assert [line for line in lines if not line.startswith(f"SUBJECT_PREFIX={NEXT} ")] == []
