# SPDX-License-Identifier: MIT
"""What a hostile stream of events, or somebody on the bus, can do to answers that are remembered: nothing."""

from __future__ import annotations

import asyncio
import json

import pytest
from nats import connect

from providers.auth0.events import following
from tests.providers.remembering.replicas import FORGET, replicas
from tests.support.waiting import until

STANDS = "auth_service_auth0_events_stands"


def event(user, kind="user.updated", offset="odd", **more):
    content = json.dumps({"offset": offset, "event": {"type": kind, "data": {"object": user}, **more}})
    return f"event: {kind}\ndata: {content}\n\n".encode()


def placed(offset):
    return b"event: offset-only\ndata: " + json.dumps({"offset": offset}).encode() + b"\n\n"


HOSTILE = {
    "half UTF-8": b'event: user.updated\nid: \xff\xfe\ndata: {"offset": "\xc3\n\n',
    "half characters": event({"user_id": "auth0|\ud800"}, offset="\udfff"),
    "unknown types": event({"user_id": "auth0|ada"}, kind="user.exploded") + b"event: \xf0\x9f\ndata: x\n\n",
    "wrong types": event([5]) + event({"user_id": {"a": 1}}, offset=5) + b"event: user.updated\ndata: [[[1]]]\n\n",
    "time going backwards": event({"user_id": "auth0|x", "updated_at": "1900-01-01"}, time="0001-01-01T00:00:00Z"),
    "one offset again and again": event({"user_id": "auth0|x"}, offset="same") * 200,
    "an offset that fits no address": placed("é" * 2000) + placed("x" * 70_000) + placed("a b\u0000\n"),
    "a huge event": event({"user_id": "auth0|x", "user_metadata": {"x": "y" * 900_000}}),
    "deep nesting": b"event: user.updated\ndata: " + b"[" * 500_000 + b"\n\n",
    "no end of a line": b"data: " + b"a" * 2_000_000,
    "no end of an event": b"data: aaaaaaaa\n" * 150_000,
    "no bytes that mean anything": b"\x00\r\r\n\n\r:\n\n" * 20_000,
}


@pytest.fixture
def events(server):
    events = server.tenant.events
    server.tenant.offer_events()
    events.heartbeat = 0.2
    return events


async def stands(service):
    await until(lambda: service.counted(STANDS) == len(service.services), 300)


async def test_after_hostile_bytes_the_next_change_is_seen_and_the_stream_stands(server, events, nats):
    tenant = server.tenant
    async with replicas(server, nats.url, 1) as service:
        await stands(service)
        for name, raw in HOSTILE.items():
            await service.city("ada")
            events.raw.append(raw)
            await until(lambda: not events.raw)
            tenant.accounts.change(tenant.user("ada"), user_metadata={"city": name})
            await until(lambda seen=name: _is(service, "ada", seen), 60)
            await stands(service)
            await until(lambda: events.open == 1)


async def test_a_connection_that_is_closed_goes_on_although_its_last_offset_was_odd(server, events, nats):
    async with replicas(server, nats.url, 1) as service:
        await stands(service)
        for odd in ("\udfff", "é" * 2000, "x" * 70_000, "unknown"):
            events.raw.append(placed(odd))
            await until(lambda: not events.raw)
            opened = events.opened
            events.close_all()
            await until(lambda before=opened: events.opened > before and events.open, 60)
            await stands(service)


async def test_who_repeats_what_was_overheard_does_not_make_a_stream_stand(server, events, nats):
    async with replicas(server, nats.url, 2) as service, await connect(nats.url) as somebody:
        await stands(service)
        heard = await somebody.subscribe(FORGET)
        told = [(await heard.next_msg(timeout=60)).data for _ in range(4)]
        assert {one[:1] for one in told} == {b"s"}
        before = service.counted("auth_service_forgets_received_total")
        server.tenant.faults.status(503, "events*")
        events.close_all()
        await until(lambda: service.counted(STANDS) == 0, 30)
        for message in told * 50:
            await somebody.publish(FORGET, message)
        await somebody.flush()
        for _ in range(10):
            assert service.counted(STANDS) == 0
            await asyncio.sleep(0.05)
        assert service.counted("auth_service_forgets_received_total") == before


async def test_a_stream_that_is_refused_for_good_costs_few_tokens(server, events, nats, monkeypatch):
    monkeypatch.setattr(following, "_LONGEST_PAUSE", 0.1)
    async with replicas(server, nats.url, 1) as service:
        await stands(service)
        server.tenant.faults.status(401, "events*")
        events.close_all()
        calls = server.tenant.records.calls
        before = calls["token.client_credentials"]
        await until(lambda: service.counted(STANDS) == 0, 30)
        await until(lambda: calls["token.client_credentials"] > before)
        await asyncio.sleep(2)
        assert calls["token.client_credentials"] - before <= 8
        server.tenant.faults.clear()
        await stands(service)


async def _is(service, who, city):
    return await service.city(who) == city
