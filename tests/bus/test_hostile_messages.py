# SPDX-License-Identifier: MIT
"""What a hostile caller can send past a client library, as bytes on a socket: the service goes on serving."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from loguru import logger

from app.bus import discovery, repetition
from app.bus.nats.client import ReconnectingClient
from app.bus.subjects import is_inbox
from tests.support.ports import nats_server
from tests.support.slow import PREFIX, place
from tests.support.waiting import PATIENCE

ADA = b"auth0|ada"
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'
VERSION = b"NATS/1.0\r\n"
HEADERS = {
    "none": b"",
    "no version": b"A: b\r\n\r\n",
    "a number": b"0\r\n",
    "a number and more": b"17\r\nMSG lfx.a 1 5\r\n",
    "a version and nothing": b"NATS/1.0",
    "half a version": b"NATS",
    "a status": b"NATS/1.0 503\r\n\r\n",
    "a status that is no UTF-8": b"NATS/1.0 \xff\xfe\r\n\r\n",
    "a description that is no UTF-8": b"NATS/1.0 503 \xff\xfe\r\n\r\n",
    "a line without a colon": VERSION + b"Ab\r\n\r\n",
    "no end": VERSION + b"A: b",
    "line feeds only": VERSION + b"A: b\n\n",
    "all bytes": VERSION + bytes(range(256)) * 4 + b"\r\n\r\n",
    "a name without letters": VERSION + b": x\r\n\r\n",
    "a folded line": VERSION + b"A: b\r\n c\r\n\td\r\n\r\n",
    "60,000 names": VERSION + b"".join(b"K%d: v\r\n" % number for number in range(60_000)) + b"\r\n",
    "280,000 nameless": VERSION + b":\r\n" * 280_000 + b"\r\n",
    "900 kB in one": VERSION + b"A: " + b"x" * 900_000 + b"\r\n\r\n",
    "900 kB of baggage": VERSION + b"baggage: " + b"a=b," * 225_000 + b"\r\n\r\n",
    "900 kB of state": VERSION
    + b"traceparent: 00-"
    + b"a" * 32
    + b"-"
    + b"b" * 16
    + b"-01\r\ntracestate: "
    + b"a=b," * 200_000
    + b"\r\n\r\n",
    "900 kB of parent": VERSION + b"traceparent: 00-" + b"a" * 900_000 + b"\r\n\r\n",
    "a parent that is no UTF-8": VERSION + b"traceparent: 00-\xff\r\n\r\n",
}
ODD_INBOXES = {
    "no UTF-8": b"\xff\xfe",
    "a Latin-1 letter": b"_INBOX.me.\xe9",
    "a vertical tab": b"_INBOX.me.a\x0bb",
    "a form feed": b"_INBOX.me.a\x0cb",
    "a carriage return": b"_INBOX.me.a\rb",
    "a form feed and a number": b"_INBOX.me.a\x0c5",
    "a vertical tab alone": b"\x0b",
    "doubled dots": b"_INBOX..me",
    "2,000 tokens": b"_INBOX.me" + b".x" * 2_000,
    "a wildcard": b"_INBOX.>",
}


async def _sent(url: str, *lines: bytes) -> bytes:
    """Send lines as a client of one's own; return all that the server says until it has taken them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    await reader.readline()
    writer.write(CONNECT + b"SUB _INBOX.me.* 1\r\n" + b"".join(lines) + b"PING\r\n")
    said = await reader.readuntil(b"PONG\r\n")
    writer.close()
    return said


def _request(reply: bytes, body: bytes = b"ada", headers: bytes | None = None) -> bytes:
    subject = PREFIX.encode() + b"username_to_sub"
    if headers is None:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(body), body)
    size = len(headers)
    return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject, reply, size, size + len(body), headers, body)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_whatever_the_headers_are_the_request_is_answered_and_the_next_one_too(nats, headers):
    async with place(nats.url) as service:
        inbox = service.inbox + ".odd"
        service.replies[inbox] = []
        await _sent(nats.url, _request(inbox.encode(), headers=headers))
        assert await service.reply(inbox) == ADA
        assert await service.ask("username_to_sub", b"ada") == ADA
        assert service.client.stats["reconnects"] == service.broker.connection.stats["reconnects"] == 0


@pytest.mark.parametrize("reply", ODD_INBOXES.values(), ids=ODD_INBOXES)
@pytest.mark.parametrize("headers", [None, VERSION + b"A: b\r\n\r\n"], ids=["PUB", "HPUB"])
async def test_whatever_the_reply_subject_is_the_next_request_is_answered(nats, reply, headers):
    async with place(nats.url) as service:
        await _sent(nats.url, _request(reply, headers=headers))
        assert await service.ask("username_to_sub", b"ada") == ADA
        assert service.broker.connection.stats["reconnects"] == 0


async def test_an_odd_reply_subject_among_many_requests_holds_none_of_them_up(nats):
    async with place(nats.url) as service:
        inboxes = [f"{service.inbox}.{number}" for number in range(500)]
        service.replies.update((inbox, []) for inbox in inboxes)
        odd = _request(b"_INBOX.me.a\x0bb", body=b"x" * 5_000)
        await _sent(nats.url, odd.join(_request(inbox.encode()) for inbox in inboxes))
        assert [await service.reply(inbox) for inbox in inboxes] == [ADA] * 500
        assert service.broker.connection.stats["reconnects"] == 0


@pytest.mark.parametrize(
    "reply",
    [
        "$KV.authelia-users.bob",
        "$JS.API.STREAM.DELETE.KV_authelia-users",
        "$SYS.REQ.SERVER.PING",
        "$SRV.PING",
        "lfx.user_profile.updated",
        "lfx.auth-service.username_to_sub",
        "lfx.auth-service.user_metadata.update",
        "LFX.auth-service.internal.forget",
        "lfX.user_profile.updated",
    ],
)
async def test_nothing_is_sent_to_a_subject_that_means_something_to_others(nats, reply):
    async with place(nats.url) as service:
        seen = []

        async def note(message) -> None:
            seen.append(message.subject)

        await service.client.subscribe("$KV.>", cb=note)
        await service.client.subscribe("$JS.>", cb=note)
        for platform in ("lfx.>", "LFX.>", "lfX.>"):
            await service.client.subscribe(platform, cb=note)
        await service.client.publish(PREFIX + "username_to_sub", b"ada", reply=reply)
        await service.client.publish(PREFIX + "user_metadata.read", b"ada", reply=reply)
        await service.client.publish("$SRV.INFO", reply=reply)
        assert await service.ask("username_to_sub", b"ada") == ADA
        await service.all_replies()
        mine = [f"{PREFIX}username_to_sub", f"{PREFIX}user_metadata.read", f"{PREFIX}username_to_sub"]
        assert seen == mine


async def test_a_bucket_of_the_service_cannot_be_written_by_naming_it_for_the_reply():
    with nats_server() as server:
        async with place(server.url) as service:
            bucket = await service.client.jetstream(timeout=30).create_key_value(bucket="authelia-users")
            await bucket.put("bob", b"his record")
            await service.client.publish(
                PREFIX + "email_to_username", b"ada@example.org", reply="$KV.authelia-users.bob"
            )
            assert await service.ask("email_to_username", b"ada@example.org") == b"ada"
            assert (await bucket.get("bob")).value == b"his record"


@pytest.mark.parametrize("reply", ["_INBOX.x.y", "_INBOX_me.x", "_R_.abc", "_GR_.x.y.z", "answers.1", "lfxx", "inbox"])
def test_other_subjects_get_their_replies(reply):
    assert is_inbox(reply)


@pytest.mark.parametrize("prefix", ["lfx.auth-service.", "Next.Auth."])
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title, str.swapcase])
def test_what_a_refusal_of_an_own_subject_would_look_like_gets_none(prefix, spelling):
    assert not is_inbox(spelling(f"{prefix}internal.forget"), prefix)
    assert not is_inbox(spelling("$kv.authelia-users.bob"), prefix)
    assert not is_inbox(spelling("lfx.user_profile.updated"), prefix)


async def test_the_services_protocol_answers_without_the_headers_it_was_sent(nats):
    async with place(nats.url) as service:
        answer = await service.client.request("$SRV.PING", headers={"X": "y" * 10_000}, timeout=60)
        assert answer.headers is None
        assert json.loads(answer.data)["name"] == "lfx-v2-auth-service"


async def test_a_flood_of_questions_to_the_services_protocol_is_answered_in_part_and_told_once(nats, monkeypatch):
    for module in (repetition, discovery):
        monkeypatch.setattr(module, "PERIOD", 3600.0)  # one period, however long a busy machine takes
    lines: list[str] = []
    handler = logger.add(lines.append, format="{message}", level="WARNING")
    async with place(nats.url, timeout=60.0) as service:
        key = f"{service.inbox}.x"
        service.replies[key] = []
        await _sent(nats.url, f"PUB $SRV.STATS {key} 0\r\n\r\n".encode() * 50_000)
        assert await service.ask("username_to_sub", b"ada") == ADA
        await service.until(lambda: len(service.replies[key]) == discovery.MAX_ANSWERS)
        await service.until(lambda: "too many questions to $SRV\n" in lines)
        await service.client.flush()
        assert len(service.replies.pop(key)) == discovery.MAX_ANSWERS
        await service.all_replies()
    logger.remove(handler)
    assert lines.count("too many questions to $SRV\n") == 1
    assert lines.count("NATS error\n") <= 1


async def test_after_a_flood_of_questions_the_next_ones_are_answered(nats, monkeypatch):
    monkeypatch.setattr(discovery, "PERIOD", 0.2)
    async with place(nats.url) as service:
        await _sent(nats.url, b"PUB $SRV.STATS _INBOX.x.y 0\r\n\r\n" * 5_000)
        async with asyncio.timeout(PATIENCE):
            answer = None
            while answer is None:
                with contextlib.suppress(TimeoutError):
                    answer = await service.client.request("$SRV.PING", timeout=1)
        assert b"ping_response" in answer.data


async def test_what_waits_holds_no_headers(nats):
    gate = asyncio.Event()

    async def wait(_: str) -> None:
        await gate.wait()

    async with place(nats.url, wait, max_concurrent_requests=1) as service:
        big = {"A": "x" * 900_000}
        for _ in range(3):
            key = f"{service.inbox}.{len(service.replies)}"
            service.replies[key] = []
            await service.client.publish(PREFIX + "user_metadata.read", b"nomail", reply=key, headers=big)
        await service.until(lambda: service.broker.turns.pending == 2)
        waiting = [entry.job for lane in service.broker.turns._lanes for entry in lane.waiting]  # noqa: SLF001 - what it holds shows nowhere else
        assert [job._message.headers for job in waiting] == [None, None]  # noqa: SLF001 - as above
        gate.set()
        await service.all_replies()


@pytest.mark.parametrize(
    "line", [b"INFO {no JSON}\r\n", b"MSG a b c\r\n", b"MSG\r\n", b"HMSG a 1 2\r\n", b"NONSENSE\r\n" + b"x" * 8_192]
)
async def test_a_connection_that_says_what_no_server_says_is_given_up_for_a_new_one_at_once(line):
    connections = 0
    again = asyncio.Event()

    async def serve(reader, writer) -> None:
        nonlocal connections
        connections += 1
        if connections == 2:
            again.set()
        writer.write(b'INFO {"max_payload":1048576,"headers":true}\r\n')
        while told := await reader.readline():
            if told == b"PING\r\n":
                writer.write(b"PONG\r\n" + (line if connections == 1 else b""))
        writer.close()

    async def ignore(*_: object) -> None:
        pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = ReconnectingClient()
    await client.connect(
        f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.01,
        ping_interval=3600,
        error_cb=ignore,
    )
    async with asyncio.timeout(PATIENCE):
        await again.wait()
    await client.close()
    server.close()
