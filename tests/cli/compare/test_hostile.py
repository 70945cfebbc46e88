# SPDX-License-Identifier: MIT
"""Services, callers, files and terminals that mean it badly: the command reads on, ends when told to, says why."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from urllib.parse import urlsplit

import pytest

from app.cli.compare.answers import Answer
from app.cli.compare.differences import differences
from tests.cli.compare.command import NEW, OLD, beside, compare, end, start
from tests.support.answering import REPLIES, answering
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import until

NO_TEXT = b"NATS/1.0\r\n\xff\xfe: \xff\r\nx\r\n\r\n"
MANY = b"NATS/1.0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n"


async def raw(url, *messages):
    """Send what no client library sends: a subject, a reply subject, headers and a body each."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b'CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n')
    for subject, reply, headers, body in messages:
        sizes = b"%d %d" % (len(headers), len(headers) + len(body))
        writer.write(b" ".join([b"HPUB", subject, *([reply] if reply else []), sizes]) + b"\r\n")
        writer.write(headers + body + b"\r\n")
    writer.write(b"PING\r\n")
    while await reader.readline() != b"PONG\r\n":
        pass
    writer.close()


def test_headers_that_nobody_can_read_make_no_difference(nats):
    async def odd(_, message):
        headers = MANY if message.data == b"ada" else NO_TEXT
        await raw(nats.url, (message.reply.encode(), b"", headers, REPLIES["username_to_sub"]))

    with beside(nats.url, new={"username_to_sub": odd}):
        done = compare(nats.url, b"ada\neve\nada\n", "--timeout", "5s")
    assert (done.status, done.report["verdict"], done.report["asked"]) == (0, "both say the same", 12)


def test_replies_without_end_are_told_once(nats):
    async def flood(client, message):
        for _ in range(2_000):
            await client.publish(message.reply, b"auth0|ada")

    with beside(nats.url, new={"username_to_sub": flood}):
        done = compare(nats.url, b"ada\n")
    (one,) = done.report["differences"]
    assert (done.status, one["kind"], one["count"]) == (1, "more than one reply", 1)
    assert [subject["same"] for subject in done.report["subjects"]] == [1, 1, 1, 1]


@pytest.mark.parametrize("depth", range(500, 1_000, 20))
def test_what_can_just_be_read_can_be_compared(depth):
    def nested(value):
        return b'{"success":true,"data":' + b"[" * depth + value + b"]" * depth + b"}"

    (one,) = differences(Answer(nested(b"1"), 0.1), Answer(nested(b"2"), 0.1))
    assert one.kind in {"value", "form of the reply"}


def test_a_line_without_an_end_is_left_out_and_takes_no_memory(nats, tmp_path):
    inputs = tmp_path / "inputs.txt"
    with inputs.open("wb") as file:
        file.truncate(32 * 1024 * 1024)
        file.seek(0, os.SEEK_END)
        file.write(b"\nada\n\xf0\x9f\nlast, without an end")
    with beside(nats.url) as (old, _):
        done = compare(nats.url, b"", "--inputs", str(inputs))
    assert (done.status, done.report["left_out"], done.report["asked"]) == (0, 1, 12)
    assert ("username_to_sub", b"\xf0\x9f") in old.received
    assert ("username_to_sub", b"last, without an end") in old.received


@pytest.mark.parametrize(
    ("number", "arguments"), [(signal.SIGINT, ()), (signal.SIGTERM, ("--rate", "0.01"))], ids=["idle", "slow"]
)
async def test_asked_to_end_it_ends_with_what_there_is(nats, number, arguments):
    """Nobody writes more into its pipe; at one request in 100 seconds most of it is still to come."""
    async with answering(nats.url, OLD), answering(nats.url, NEW) as new:
        process = await start(nats.url, "--inputs", "-", *arguments)
        process.stdin.write(b"ada\n")
        await until(lambda: len(new.received) >= (1 if arguments else 4), 120)
        process.send_signal(number)
        async with asyncio.timeout(60):
            output = await process.stdout.read()
            assert await process.wait() == 0
    report = json.loads(output)
    assert report["cut_short"] == "it was asked to"
    assert report["asked"] == (1 if arguments else 4)


async def test_asked_to_end_before_it_is_connected_it_has_compared_nothing():
    connected: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def deaf(_reader, writer):
        await connected.put(writer)

    async with await asyncio.start_server(deaf, "127.0.0.1") as server:
        process = await start(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}", "--inputs", "-")
        writer = await asyncio.wait_for(connected.get(), 120)
        process.send_signal(signal.SIGINT)
        done = await end(process)
        writer.close()
    assert (done.status, done.output) == (2, "")
    assert done.errors == "stopped without a report\n"


LIMITED = """
authorization { users: [
  { user: all, password: all },
  { user: few, password: few, permissions: {
      publish: { deny: "new.auth.username_to_sub" }, subscribe: { allow: "_INBOX.auth-service-compare.>" } } }
] }
"""


def test_what_nats_refuses_is_told(tmp_path):
    configuration = tmp_path / "nats.conf"
    configuration.write_text(LIMITED)
    with nats_server(0, "-c", str(configuration)) as server:
        who = {name: f"nats://{name}:{name}@{server.url.removeprefix('nats://')}" for name in ("all", "few")}
        with beside(who["all"]):
            asked = compare(who["few"], b"ada\n", "--timeout", "500ms")
            heard = compare(who["few"], None, "--from-traffic", "300ms", "--format", "text")
    (one,) = asked.report["differences"]
    assert (asked.status, one["subject"], one["kind"]) == (1, "username_to_sub", "no answer")
    assert asked.report["refused"] == ['permissions violation for publish to "new.auth.username_to_sub"']
    assert heard.status == 2
    assert 'NATS refused: permissions violation for subscription to "old.auth.>".' in heard.output


async def test_a_message_that_cannot_be_read_does_not_end_the_listening(nats):
    async with answering(nats.url, OLD) as old, answering(nats.url, NEW) as new:
        process = await start(nats.url, "--from-traffic", "10m")
        async with await connect(nats.url) as client:
            while not new.received:
                await client.request(f"{OLD}username_to_sub", b"ada", timeout=60)
                await asyncio.sleep(0.05)
        odd = [(f"{OLD}{name}".encode(), b"odd\x0breply", NO_TEXT, b"odd") for name in ("email_to_sub", "add_alias")]
        await raw(nats.url, *odd, (f"{OLD}email_to_sub".encode(), b"", MANY, b"last"))
        await until(lambda: ("email_to_sub", b"last") in new.received)
        process.send_signal(signal.SIGINT)
        done = await end(process)
    assert ("email_to_sub", b"odd") in old.received
    assert ("email_to_sub", b"odd") in new.received
    assert (done.status, done.report["passed_by"]) == (0, {"add_alias": 1})
