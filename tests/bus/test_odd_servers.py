# SPDX-License-Identifier: MIT
# ruff: noqa: SLF001 - the library's inner life is what is shown here
"""Servers that end connections with errors, greet oddly, tell of a cluster, or turn clients away."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
import uvloop
from nats.errors import ConnectionReconnectingError, Error, MaxPayloadError

from app.bus.nats.parser import TolerantParser
from app.bus.nats.transport import BoundedTransport
from tests.bus.connections import configured, connected, ignore, served
from tests.support.ports import nats_server
from tests.support.waiting import until

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
ENDS = (
    "Authorization Violation",
    "User Authentication Expired",
    "User Authentication Revoked",
    "Account Authentication Expired",
    "maximum connections exceeded",
    "maximum account active connections exceeded",
    "Maximum Payload Violation",
    "Unknown Protocol Operation",
    "Stale Connection",
    "something that nobody has heard of",
)


@asynccontextmanager
async def _erring_server(error: str, *, hangs_up: bool):
    """A server that answers each client's second PING with an error; it goes on, or hangs up on the first client."""
    clients = []

    async def serve(reader, writer) -> None:
        clients.append(writer)
        pings, first = 0, len(clients) == 1
        writer.write(b'INFO {"max_payload":1048576}\r\n')
        while line := await reader.readline():
            if line == b"PING\r\n":
                pings += 1
                writer.write(f"-ERR '{error}'\r\n".encode() if pings > 1 and first else b"")
                if pings > 1 and first and hangs_up:
                    break
                writer.write(b"PONG\r\n")
        writer.close()

    async with served(serve) as url:
        yield url, clients


@pytest.mark.parametrize("end", ENDS)
async def test_a_connection_that_the_server_ends_with_an_error_is_made_anew(end):
    faults = []

    async def note(fault: Exception) -> None:
        faults.append(str(fault).lower())

    async with _erring_server(end, hangs_up=True) as (url, clients):
        client = await connected(url, max_reconnect_attempts=-1, error_cb=note)
        with pytest.raises(ConnectionReconnectingError):
            await client.flush()
        await until(lambda: client.is_connected)
        await client.flush()
        assert len(clients) == 2
        assert f"nats: {end.lower()}" in faults
        await client.close()


@pytest.mark.parametrize("error", ["Invalid Subject", "Invalid Publish Subject"])
async def test_an_error_after_which_the_server_goes_on_ends_nothing(error):
    faults = []

    async def note(fault: Exception) -> None:
        faults.append(str(fault).lower())

    async with _erring_server(error, hangs_up=False) as (url, clients):
        client = await connected(url, error_cb=note)
        await client.flush()
        await client.flush()
        assert (len(clients), client.is_connected) == (1, True)
        assert faults == [f"nats: {error.lower()}"] * 2
        await client.close()


async def test_a_user_that_is_taken_away_and_given_back_is_connected_again(tmp_path):
    users = "authorization {{ users: [ {} ] }}\n"
    with configured(tmp_path, users.format("{user: me, password: hush}, {user: b, password: b}")) as server:
        client = await connected(server.url, max_reconnect_attempts=-1, user="me", password="hush")
        for text, stands in (("{user: b, password: b}", False), ("{user: me, password: hush}", True)):
            (tmp_path / "nats.conf").write_text(users.format(text))
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: client.is_connected == stands)  # noqa: B023 - awaited at once
        await client.flush()
        await client.close()


async def test_servers_that_a_cluster_tells_of_get_the_login_stand_once_and_leave_again():
    with nats_server() as server:
        client = await connected(f"nats://svc:s3cret@127.0.0.1:{server.port}", max_reconnect_attempts=-1)
        configured = f"127.0.0.1:{server.port}"
        for generation in range(3):
            members = [f"10.0.{generation}.{number}:4222" for number in range(3)]
            await client._process_info({"connect_urls": [configured, *members]})
        places = sorted(one.uri.netloc for one in client._server_pool)
        assert places == sorted(f"svc:s3cret@{place}" for place in (configured, *members))
        assert {(one.uri.username, one.uri.password) for one in client._server_pool} == {("svc", "s3cret")}
        await client.close()


@pytest.mark.parametrize("attempts", [-1, 10])
async def test_who_is_turned_away_by_a_server_goes_to_the_next_of_its_cluster(attempts):
    visits = []

    def answering(name, end):
        async def serve(reader, writer) -> None:
            visits.append(name)
            urls = ", ".join(f'"127.0.0.1:{server.sockets[0].getsockname()[1]}"' for server in servers)
            writer.write(f'INFO {{"max_payload":1048576,"connect_urls":[{urls}]}}\r\n'.encode())
            while line := await reader.readline():
                if line == b"PING\r\n":
                    writer.write(end)
                    if end.startswith(b"-ERR"):
                        break
            writer.close()

        return serve

    servers = []
    for serve in (answering("full", b"-ERR 'maximum connections exceeded'\r\n"), answering("room", b"PONG\r\n")):
        servers += [await asyncio.start_server(serve, "127.0.0.1", 0)]
    url = f"nats://127.0.0.1:{servers[0].sockets[0].getsockname()[1]}"
    client = await connected(url, max_reconnect_attempts=attempts)
    assert visits[0] == "full"
    assert visits[-1] == "room"
    assert len(visits) <= 3
    await client.close()
    for server in servers:
        server.close()


WELL, PONG = b'INFO {"max_payload":1048576}\r\n', b"PONG\r\n"
GREETINGS = {
    "longer than any": (
        b'INFO {"max_payload":1048576,"connect_urls":[' + b'"10.0.0.1:4222",' * 3_000 + b'""]}\r\n',
        PONG,
    ),
    "addresses that are none": (b'INFO {"connect_urls":["[::1:4222", 5, null, "a:b", ""]}\r\n', PONG),
    "addresses that are no list": (b'INFO {"connect_urls":{"a":1}}\r\n', PONG),
    "null": (b"INFO null\r\n", PONG),
    "nothing": (b"INFO\r\n", PONG),
    "no JSON": (b"INFO {\r\n", PONG),
    "no UTF-8": (b'INFO {"server_id":"\xff"}\r\n', PONG),
    "nested deep": (b'INFO {"a":' + b"[" * 15_000 + b"]" * 15_000 + b"}\r\n", PONG),
    "a tab": (b"INFO\t{}\r\n", PONG),
    "another word": (b"HTTP/1.1 400 Bad Request\r\n", PONG),
    **{
        f"max_payload {most}": (f'INFO {{"max_payload":{most}}}\r\n'.encode(), PONG)
        for most in ('"1"', "null", "[]", "-1")
    },
    "a nonce that is no text": (b'INFO {"auth_required":true,"nonce":5}\r\n', PONG),
    "a nonce that is half a character": (b'INFO {"auth_required":true,"nonce":"\\ud800"}\r\n', PONG),
    "an error without words": (WELL, b"-ERR\r\n"),
    "an error that is no UTF-8": (WELL, b"-ERR '\xff'\r\n"),
    "another word for a PONG": (WELL, b"OK\r\n"),
    "an empty line for a PONG": (WELL, b"\r\n"),
    "a PING before the PONG": (WELL, b"PING\r\nPONG\r\n"),
    "another INFO before the PONG": (WELL, WELL + PONG),
}
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
"""An example's key of a user, with which a nonce is signed."""


@pytest.mark.parametrize("name", GREETINGS)
async def test_an_odd_greeting_uses_an_attempt_up_at_most(name):
    connections = []

    async def serve(reader, writer) -> None:
        """Take the first client until it subscribes; greet the second one oddly."""
        connections.append(writer)
        number = len(connections)
        greeting, answer = GREETINGS[name] if number == 2 else (WELL, PONG)
        writer.write(greeting)
        while (line := await reader.readline()) and not (line.startswith(b"SUB") and number == 1):
            if line == b"PING\r\n":
                writer.write(answer)
                answer = PONG
        writer.close()

    async with served(serve) as url:
        client = await connected(url, max_reconnect_attempts=-1, nkeys_seed_str=SEED)
        await client.subscribe("a", cb=ignore)
        await until(lambda: len(connections) >= 2 and client.is_connected)
        assert len(connections) <= 3
        await client.close()


async def test_a_server_may_ask_before_it_answers():
    """As nats-server does where the client's first PING takes longer than two seconds to get there."""
    said = []

    async def serve(reader, writer) -> None:
        writer.write(WELL)
        while line := await reader.readline():
            said.append(line)
            if line == b"PING\r\n":
                writer.write(b"PING\r\n")
            if line == PONG or said.count(b"PING\r\n") > 1:
                writer.write(PONG)
        writer.close()

    async with served(serve) as url:
        client = await connected(url)
        assert client.is_connected
        assert said[1:] == [b"PING\r\n", PONG]
        await client.close()


async def test_what_an_account_may_send_at_most_is_heard(tmp_path):
    accounts = "accounts { A { users: [{user: a, password: a}], limits: { max_payload: 300 } } }\nno_auth_user: a"
    with configured(tmp_path, accounts) as server:
        client = await connected(server.url)
        await until(lambda: client.max_payload == 300)
        with pytest.raises(MaxPayloadError):
            await client.publish("a", b"x" * 301)
        await client.publish("a", b"x" * 300)
        await client.flush()
        assert client.is_connected
        await client.close()


@LOOPS
def test_a_client_that_gives_up_with_something_to_send_says_so(loop):
    closed = []

    async def note() -> None:
        closed.append(True)

    async def give_up() -> None:
        with nats_server() as server:
            client = await connected(server.url, max_reconnect_attempts=20, reconnect_time_wait=0.1, closed_cb=note)
        await until(lambda: client.is_reconnecting)
        await client.publish("a", b"a reply")
        await until(lambda: closed)
        assert client.is_closed

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(give_up())


async def test_connections_that_are_cut_off_again_and_again_while_replies_are_sent_end_nothing():
    connections, is_ill = [], True

    async def serve(reader, writer) -> None:
        connections.append(writer)
        writer.write(WELL)
        pings = 0
        while line := await reader.readline():
            pings += line == b"PING\r\n"
            if is_ill and pings == 2:
                break
            if line == b"PING\r\n":
                writer.write(PONG)
        writer.close()

    async with served(serve) as url:
        client = await connected(url, max_reconnect_attempts=-1)
        await client.subscribe("a", cb=ignore)
        with pytest.raises(ConnectionReconnectingError):
            await client.flush()

        async def reply() -> None:
            while is_ill:
                with suppress(OSError, Error):
                    await client.publish("a", b"x" * 1_000)
                await asyncio.sleep(0.001)

        replies = asyncio.create_task(reply())
        await until(lambda: len(connections) > 200 or client.is_closed, 120)
        is_ill = False
        await replies
        await until(lambda: client.is_connected)
        await client.flush()
        await client.close()


async def test_a_member_of_a_cluster_proves_the_name_that_was_configured():
    """However many members told of each other meanwhile."""
    with nats_server() as server:
        client = await connected(f"nats://localhost:{server.port}", max_reconnect_attempts=-1)
        client._server_info["tls_required"] = True
        for number in range(3):
            await client._process_info({"connect_urls": [f"10.0.0.{number}:4222", "10.0.0.9:4222"]})
            client._current_server = next(one for one in client._server_pool if one.discovered)
        assert {one.tls_name for one in client._server_pool if one.discovered} == {"localhost"}
        await client.close()


async def test_a_message_whose_headers_make_it_too_large_is_refused_and_the_connection_stays(tmp_path):
    with configured(tmp_path, "max_payload: 4096") as server:
        client = await connected(server.url)
        headers = {"traceparent": "x" * 55, "baggage": "ł"}
        size = 12 + sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items())
        subscription = await client.subscribe("a")
        await client.publish("a", b"x" * (4096 - size), headers=headers)
        assert len((await subscription.next_msg(timeout=60)).data) == 4096 - size
        with pytest.raises(MaxPayloadError):
            await client.publish("a", b"x" * (4096 - size + 1), headers=headers)
        await client.flush()
        assert client.is_connected
        await client.close()


async def test_a_server_that_hangs_up_in_its_greeting_uses_an_attempt_up():
    connections = []

    async def serve(reader, writer) -> None:
        """Take the first client until it subscribes; hang up on others where they wait for the first PONG."""
        connections.append(writer)
        first = len(connections) == 1
        writer.write(b'INFO {"max_payload":1048576}\r\n')
        while (line := await reader.readline()) and not (line.startswith(b"SUB") if first else line == b"PING\r\n"):
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    async with served(serve) as url:
        client = await connected(url, max_reconnect_attempts=3)
        await client.subscribe("a", cb=ignore)
        await until(lambda: client.is_closed)
    assert len(connections) == 4


def _reset(writer) -> None:
    """End a connection as a process that dies does: what is on its way is lost."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@LOOPS
def test_connections_that_are_reset_right_after_the_first_pong_leave_nothing_behind(loop):
    """Else the pings of all of them count, and end a connection that stands."""
    connections = []

    async def serve(reader, writer) -> None:
        connections.append(writer)
        writer.write(WELL)
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(PONG)
                if len(connections) <= 10:
                    await writer.drain()
                    _reset(writer)
        writer.close()

    async def connect() -> None:
        async with served(serve) as url:
            client = await connected(url, max_reconnect_attempts=-1)
            await client.subscribe("a", cb=ignore)
            with pytest.raises(ConnectionReconnectingError):
                await client.flush()
            await until(lambda: len(connections) > 10 and client.is_connected)
            await client.flush()
            tasks = [task.get_coro().__name__ for task in asyncio.all_tasks()]
            assert [tasks.count(name) for name in ("_read_loop", "_ping_interval", "_flusher")] == [1, 1, 1]
            await client.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(connect())


@LOOPS
def test_a_client_that_is_closed_where_its_connection_was_reset_says_so(loop):
    closed = []

    async def note() -> None:
        closed.append(True)

    async def serve(reader, writer) -> None:
        writer.write(WELL)
        while not (line := await reader.readline()).startswith(b"SUB"):
            writer.write(PONG if line == b"PING\r\n" else b"")
        writer.write(b"-ERR 'maximum subscriptions exceeded'\r\n")
        await writer.drain()
        _reset(writer)

    async def give_up() -> None:
        async with served(serve) as url:
            client = await connected(url, max_reconnect_attempts=-1, closed_cb=note)
            await client.subscribe("a", cb=ignore)
            while not client.is_closed:
                with suppress(OSError, Error):
                    await client.publish("a", b"a reply")
                await asyncio.sleep(0)
            await until(lambda: closed)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(give_up())


async def test_a_reply_that_waited_and_is_too_large_for_the_next_server_takes_no_other_with_it():
    received, faults, connections = bytearray(), [], []

    async def note(fault: Exception) -> None:
        faults.append(type(fault))

    async def serve(reader, writer) -> None:
        connections.append(writer)
        writer.write(WELL if len(connections) == 1 else b'INFO {"max_payload":100}\r\n')
        while (line := await reader.readline()) and not line.startswith(b"SUB"):
            received.extend(line)
            writer.write(PONG if line == b"PING\r\n" else b"")
        writer.close()

    async with served(serve) as url:
        client = await connected(url, max_reconnect_attempts=-1, reconnect_time_wait=0.5, error_cb=note)
        client.give_up(await client.subscribe("a", cb=ignore))
        await until(lambda: client.is_reconnecting)
        for subject, size, headers in (("a", 1, None), ("b", 101, None), ("c", 90, {"a": "b"}), ("d", 100, None)):
            await client.publish(subject, b"x" * size, headers=headers)
        await until(lambda: client.is_connected)
        await client.flush()
        assert [line.split()[1] for line in received.splitlines() if line.startswith((b"PUB", b"HPUB"))] == [b"a", b"d"]
        assert (len(connections), faults.count(MaxPayloadError)) == (2, 1)
        await client.close()


@pytest.mark.parametrize("answer", [b"PONG\n", b"PONG \r\n", b"PONGS\r\n"])
async def test_an_odd_pong_is_one_or_uses_the_first_attempt_up(answer):
    connections = []

    async def serve(reader, writer) -> None:
        connections.append(writer)
        first = len(connections) == 1
        writer.write(WELL)
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(answer if first else PONG)
                first = False
        writer.close()

    async with served(serve) as url:
        client = await connected(url, max_reconnect_attempts=-1)
        assert client.is_connected
        await client.flush()
        await client.close()


def test_a_write_to_a_closed_connection_is_an_error_that_is_foreseen():
    """uvloop raises another one there than asyncio: the client would be closed for good."""

    async def write() -> None:
        with nats_server() as server:
            transport = BoundedTransport(TolerantParser(None))
            await transport.connect(urlsplit(server.url), 1024, 30)
            transport.abort()
            await transport.wait_closed()
            for send in (lambda: transport.write(b"PING\r\n"), lambda: transport.writelines([b"PING\r\n"])):
                with pytest.raises(ConnectionResetError, match="the connection is closed"):
                    send()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write())
