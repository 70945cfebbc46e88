# SPDX-License-Identifier: MIT
# ruff: noqa: SLF001 - the library's inner life is what is shown here, and it has no events
"""Our ways with nats-py: what is relied upon, reconnects, order, authentication and TLS.

When one of these fails after a new release of nats-py, look at `app/bus/nats/client.py`, at
`SubjectSubscriber.reply` and `SubjectSubscriber.drain`, and at nats-py's `aio/client.py` and `aio/subscription.py`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
from contextlib import asynccontextmanager

import nats as nats_py
import pytest
from nats.aio.client import Client, Srv
from nats.errors import ConnectionReconnectingError, NoServersError, SecureConnRequiredError

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.security import security_options
from app.settings import NatsSettings
from tests.bus.connections import configured, connected, ignore
from tests.bus.subjects import broker_of
from tests.stand_ins.certificates import write_certificates
from tests.support.ports import free_port, nats_server
from tests.support.waiting import PATIENCE, until

SEED = b"SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
LOOK = "nats-py changed; look at app/bus/nats/client.py"


@pytest.mark.parametrize(
    "name",
    [
        "_attempt_reconnect",
        "_select_next_server",
        "_send_ping",
        "flush",
        "_connect_command",
        "_connect_to_server",
        "_parse_server_uri",
        "_process_headers",
        "_build_message",
        "_read_loop",
        "_process_op_err",
        "_process_err",
        "_process_info",
        "_close",
    ],
)
def test_what_is_overridden_or_called_is_there(name):
    assert callable(getattr(Client, name)), LOOK
    assert _sources("_select_next_server") >= {"connect", "_attempt_reconnect"}, LOOK
    assert {"reconnects", "last_attempt"} <= set(Srv.__dataclass_fields__), LOOK


def _sources(call: str) -> set[str]:
    return {name for name in ("connect", "_attempt_reconnect") if call in inspect.getsource(getattr(Client, name))}


@asynccontextmanager
async def _deaf_server(lines: list[bytes]):
    """A server that notes what it is told and answers PING, and nothing else."""

    async def serve(reader, writer) -> None:
        writer.write(b'INFO {"max_payload":1048576,"headers":true}\r\n')
        while line := await reader.readline():
            lines.append(line.split()[0])
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_ping_does_not_overtake_what_was_sent_before_it():
    lines: list[bytes] = []
    async with _deaf_server(lines) as url:
        client = await connected(url)
        subscription = await client.subscribe("a", cb=ignore)
        await client.flush()
        assert lines == [b"CONNECT", b"PING", b"SUB", b"PING"]
        await subscription.drain()
        assert lines[4:] == [b"UNSUB", b"PING"]
        await client.close()


async def test_nothing_is_taken_as_sent_before_a_new_connection_stands():
    """A server that lets connect and says nothing: it is then no longer reconnecting, and not yet connected."""
    with nats_server() as server:
        client = await connected(server.url, max_reconnect_attempts=-1, connect_timeout=60)
        server.stop()
        writers = []
        silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", server.port)
        await until(lambda: client.is_connecting)
        with pytest.raises(ConnectionReconnectingError):
            await client.flush()
        await client.close()
        for writer in writers:
            writer.close()
        silent.close()


async def test_nothing_is_taken_as_sent_while_there_is_no_connection():
    with nats_server() as server:
        client = await connected(server.url, max_reconnect_attempts=-1)
        await client.flush()
        server.stop()
        await until(lambda: client.is_reconnecting)
        await client.publish("a", b"lost, or not")
        for _ in range(20):  # whatever becomes of the client's tasks meanwhile
            with pytest.raises(ConnectionReconnectingError):
                await client.flush()
            await asyncio.sleep(0.01)
        server.start()
        await until(lambda: client.is_connected)
        await client.flush()
        await client.close()


@pytest.mark.parametrize(("limit", "attempts"), [(0, 1), (1, 2), (3, 4)])
async def test_an_absent_server_is_tried_once_and_then_as_often_as_told(limit, attempts):
    faults = []

    async def note(fault: Exception) -> None:
        faults.append(fault)

    with pytest.raises(NoServersError):
        await connected(f"nats://127.0.0.1:{free_port()}", max_reconnect_attempts=limit, error_cb=note)
    assert len(faults) == attempts


async def test_connecting_ends_when_it_is_cancelled_as_an_attempt_ends():
    async def note(_: Exception) -> None:
        failed.set()

    for turns in range(40):
        failed = asyncio.Event()
        url = f"nats://127.0.0.1:{free_port()}"
        connecting = asyncio.create_task(
            connected(url, max_reconnect_attempts=-1, reconnect_time_wait=0, error_cb=note)
        )
        await failed.wait()
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        connecting.cancel()
        ended, _ = await asyncio.wait({connecting}, timeout=30)
        while not connecting.done():
            connecting.cancel()
            await asyncio.sleep(0.01)
        assert ended


async def test_a_server_that_stayed_away_for_one_outage_is_tried_in_the_next():
    with nats_server() as one, nats_server() as two:
        faults = []

        async def note(fault: Exception) -> None:
            faults.append(fault)

        client = ReconnectingClient()
        await client.connect(
            [one.url], max_reconnect_attempts=2, reconnect_time_wait=0.01, error_cb=note, connect_timeout=PATIENCE
        )
        client._server_pool.append(Srv(client._parse_server_uri(two.url), reconnects=99))
        one.stop()
        await until(lambda: client.is_connected and client.connected_url.port == two.port)
        await client.close()


async def test_credentials_spoilt_meanwhile_close_the_connection_and_leave_no_half_dead_one():
    closed = asyncio.Event()

    async def note() -> None:
        closed.set()

    with nats_server() as server:
        client = await connected(server.url, max_reconnect_attempts=-1, closed_cb=note)

        def spoilt() -> bytes:
            raise ValueError

        client._connect_command = spoilt
        server.stop()
        server.start()
        async with asyncio.timeout(PATIENCE):
            await closed.wait()
    assert client.is_closed


async def _reaches(url: str, **settings) -> bool:
    nats = NatsSettings(servers=(url,), **settings)
    client = await connected(url, **security_options(nats))
    try:
        await client.flush()
        return client.is_connected
    finally:
        await client.close()


async def test_user_and_password(tmp_path):
    with configured(tmp_path, "authorization { user: me, password: hush }") as server:
        assert await _reaches(server.url, user="me", password="hush")
        with pytest.raises(NoServersError):
            await _reaches(server.url, user="me", password="wrong")
        assert await _reaches(server.url.replace("//", "//me:hush@"))


async def test_a_token(tmp_path):
    with configured(tmp_path, "authorization { token: hush }") as server:
        assert await _reaches(server.url, token="hush")
        with pytest.raises(NoServersError):
            await _reaches(server.url)


async def test_an_nkey_seed(tmp_path):
    nkeys = pytest.importorskip("nkeys")
    public = nkeys.from_seed(bytearray(SEED)).public_key.decode()
    with configured(tmp_path, f"authorization {{ users: [ {{ nkey: {public} }} ] }}") as server:
        assert await _reaches(server.url, nkey_seed=SEED.decode())
        with pytest.raises(NoServersError):
            await _reaches(server.url)


async def test_tls_with_client_certificates(tmp_path):
    ca, certificate, key = write_certificates(tmp_path)
    text = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{ca}", verify: true }}'
    with configured(tmp_path, text) as server:
        assert await _reaches(server.url, tls_ca=ca, tls_cert=certificate, tls_key=key)
        assert await _reaches(server.url.replace("nats:", "tls:"), tls_ca=ca, tls_cert=certificate, tls_key=key)
        for too_little in ({"tls_ca": ca}, {}):
            with pytest.raises(NoServersError):
                await _reaches(server.url, **too_little)


async def test_where_tls_is_configured_nothing_is_sent_in_clear(nats, tmp_path):
    ca, _, _ = write_certificates(tmp_path)
    faults = []

    async def note(fault: Exception) -> None:
        faults.append(fault)

    options = security_options(NatsSettings(servers=(nats.url,), tls_ca=ca, token="hush"))
    with pytest.raises(NoServersError):
        await connected(nats.url, error_cb=note, **options)
    assert any(isinstance(fault, SecureConnRequiredError) for fault in faults)


async def test_a_subscription_too_many_ends_the_client(tmp_path):
    """Without one the service would be another; whoever starts it anew sees the reason."""
    faults = []

    async def note(fault: Exception) -> None:
        faults.append(str(fault))

    with configured(tmp_path, "max_subscriptions: 1") as server:
        client = await connected(server.url, max_reconnect_attempts=-1, error_cb=note)
        for subject in ("a", "b"):
            await client.subscribe(subject, cb=ignore)
        await until(lambda: client.is_closed)
        assert faults == ["nats: maximum subscriptions exceeded"]


async def test_a_subscription_that_is_not_allowed_keeps_the_service_from_being_ready(tmp_path):
    async def handler(_: str) -> str:
        """Answer."""
        return ""

    text = 'authorization { users: [ {user: me, password: hush, permissions: { subscribe: "other" }} ] }'
    with configured(tmp_path, text) as server:
        broker = broker_of(server.url, handler, user="me", password="hush")
        await broker.start()
        await until(lambda: broker.state.startswith("not subscribed: nats: "))
        await broker.drain(1)
        await broker.stop()


async def test_a_permission_that_is_taken_away_and_given_back_makes_the_service_ready_again(tmp_path, monkeypatch):
    monkeypatch.setattr("app.bus.broker.TRY_AGAIN", 0.1)

    async def handler(_: str) -> str:
        """Answer."""
        return "here"

    users = 'authorization {{ users: [ {{user: me, password: hush, permissions: {{ subscribe: "{}" }} }} ] }}'
    with configured(tmp_path, users.format(">")) as server:
        broker = broker_of(server.url, handler, user="me", password="hush")
        await broker.start()
        for allowed, state in (("_INBOX.>", "not subscribed: nats: "), (">", "")):
            (tmp_path / "nats.conf").write_text(users.format(allowed))
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: broker.state[: len(state) or None] == state)  # noqa: B023 - awaited at once
        (subscriber,) = broker.subject_subscribers
        await broker._client.ask_again(subscriber.subscription)
        client = await connected(server.url, user="me", password="hush")
        replies = await client.subscribe("_INBOX.a")
        await client.publish(subscriber.declaration.address, b"ada", reply="_INBOX.a")
        assert (await replies.next_msg(PATIENCE)).data == b"here"
        await client.flush()
        assert replies.pending_msgs == 0
        await client.close()
        await broker.drain(1)
        await broker.stop()


async def test_nats_py_itself_still_does_otherwise():
    """Where this fails, an override has become superfluous."""
    assert nats_py.NATS is Client
    assert "self._transport.write(PING_PROTO)" in inspect.getsource(Client._send_ping), LOOK
    assert "await self._flush_pending()\n            return" in inspect.getsource(Client.flush), LOOK
