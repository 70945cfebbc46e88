# SPDX-License-Identifier: MIT
"""The NATS services protocol (ADR-32), spoken by a plain client."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from http.client import HTTPConnection

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from tests.support.ports import free_port, nats_server
from tests.support.slow import place

NAME = "lfx-v2-auth-service"


@asynccontextmanager
async def connected(url: str):
    connection = Client()
    await connection.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def answers(connection, subject: str, body: bytes = b"", *, count: int = 1):
    """Ask all who listen, and return what `count` of them say and whether anybody says more."""
    inbox = connection.new_inbox()
    replies = await connection.subscribe(inbox)
    await connection.publish(subject, body, reply=inbox)
    found = [json.loads((await replies.next_msg(timeout=60)).data) for _ in range(count)]
    await connection.flush()
    assert replies.pending_msgs == 0
    await replies.unsubscribe()
    return found


@pytest.mark.parametrize("verb", ["PING", "INFO", "STATS"])
async def test_each_verb_is_answered_to_all_to_the_name_and_to_the_id(verb, nats):
    async with place(nats.url) as service, connected(nats.url) as connection:
        (to_all,) = await answers(connection, f"$SRV.{verb}")
        (to_name,) = await answers(connection, f"$SRV.{verb}.{NAME}")
        (to_id,) = await answers(connection, f"$SRV.{verb}.{NAME}.{to_all['id']}")
        assert to_all == to_name == to_id
        assert to_all["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
        assert (to_all["name"], to_all["version"]) == (NAME, "0")
        assert service.broker.turns.at_work == 0


async def test_info_names_the_sixteen_endpoints_with_queue_group_and_schema(nats):
    async with place(nats.url), connected(nats.url) as connection:
        (info,) = await answers(connection, "$SRV.INFO")
    assert len(info["endpoints"]) == 16
    assert info["description"]
    assert {endpoint["queue_group"] for endpoint in info["endpoints"]} == {"lfx.auth-service.queue"}
    (primary,) = [endpoint for endpoint in info["endpoints"] if endpoint["subject"].endswith("set_primary")]
    assert primary == {
        "name": "user_emails-set_primary",
        "subject": "lfx.auth-service.user_emails.set_primary",
        "queue_group": "lfx.auth-service.queue",
        "metadata": {"schema": "/asyncapi.json#/operations/user_emails.set_primary"},
    }


async def test_stats_count_what_metrics_count(nats):
    async with place(nats.url) as service, connected(nats.url) as connection:
        for body in (b"ada", b"ada", b" "):
            await service.ask("username_to_sub", body)
        (stats,) = await answers(connection, "$SRV.STATS")
        (endpoint,) = [found for found in stats["endpoints"] if found["name"] == "username_to_sub"]
        labels = {"subject": "username_to_sub"}
        seconds = service.telemetry.registry.get_sample_value("auth_service_request_duration_seconds_sum", labels)
        assert endpoint["num_requests"] == 3
        assert endpoint["num_errors"] == 1
        assert endpoint["last_error"] == "username is required"
        assert endpoint["processing_time"] == round(seconds * 1e9)
        assert endpoint["average_processing_time"] == endpoint["processing_time"] // 3
        assert stats["started"].endswith("Z")


async def test_what_was_not_asked_yet_took_no_time(nats):
    async with place(nats.url), connected(nats.url) as connection:
        (stats,) = await answers(connection, "$SRV.STATS")
    idle = [(found["num_requests"], found["average_processing_time"]) for found in stats["endpoints"]]
    assert idle == [(0, 0)] * 16


async def test_every_replica_answers_with_an_id_of_its_own(nats):
    async with place(nats.url), place(nats.url), connected(nats.url) as connection:
        first, second = await answers(connection, "$SRV.PING", count=2)
        assert first["id"] != second["id"]


async def test_odd_questions_are_harmless(nats):
    async with place(nats.url) as service, connected(nats.url) as connection:
        for verb in ("PING", "INFO", "STATS"):
            await connection.publish(f"$SRV.{verb}", b"nobody to reply to")
            (answer,) = await answers(connection, f"$SRV.{verb}.{NAME}", b"\xff\x00[" * 300_000)
            assert answer["name"] == NAME
        await asyncio.gather(*(connection.publish("$SRV.STATS", b"", reply="a.b") for _ in range(3000)))
        assert await service.ask("username_to_sub", b"ada") == b"auth0|ada"


async def test_the_subjects_are_subscribed_once():
    """Sixteen subjects, nine ways to ask, and the inbox of the service's own calls at most."""
    port = free_port()
    with nats_server(0, "-m", str(port)) as server:
        async with place(server.url) as service:
            own = service.client.client_id
            asked = HTTPConnection("127.0.0.1", port, timeout=60)
            asked.request("GET", "/connz?subs=1")
            connections = json.loads(asked.getresponse().read())["connections"]
            asked.close()
    (served,) = [sorted(found["subscriptions_list"]) for found in connections if found["cid"] != own]
    assert [subject for subject in served if subject.startswith("_INBOX")] in ([], served[:1])
    assert sum(subject.startswith("lfx.auth-service.") for subject in served) == 16
    assert sum(subject.startswith("$SRV.") for subject in served) == 9
    assert len(served) <= 26


async def test_a_service_that_stops_is_not_found_any_more(nats):
    async with connected(nats.url) as connection, place(nats.url) as service:
        await service.broker.drain()
        await connection.flush()
        with pytest.raises(NoRespondersError):
            await connection.request("$SRV.PING", b"", timeout=60)
