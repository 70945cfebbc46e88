# SPDX-License-Identifier: MIT
"""Messages to every replica, when the connection breaks as they are sent."""

from __future__ import annotations

import os
import signal

import pytest
from nats import connect
from nats.aio.client import Client
from nats.errors import ConnectionClosedError

from app.bus import broadcast as broadcasts
from app.bus.broadcast import Broadcast
from app.bus.nats.client import ReconnectingClient
from app.main import create_broker
from app.observability.telemetry import Telemetry
from app.settings import NatsSettings, Settings
from providers.mock import mock_provider
from tests.support.accounts import accounts
from tests.support.ports import nats_server
from tests.support.waiting import until

FORGET, REPLY = "lfx.auth-service.internal.forget", "_INBOX.caller"


class Breaking(Client):
    """A connection that breaks with the first message still in the kernel, which loses it."""

    lost = False

    async def publish(self, subject, *args, **options):
        if self.lost or subject != FORGET:
            await super().publish(subject, *args, **options)

    async def flush(self, timeout=10):  # noqa: ASYNC109 - nats-py has it
        if not self.lost:
            self.lost = True
            raise ConnectionClosedError
        await super().flush(timeout)


async def test_a_message_is_there_before_the_reply_also_when_the_connection_broke(nats):
    heard = []
    listener = await connect(nats.url)

    async def take(message):
        heard.append((message.subject, message.data))

    await listener.subscribe(">", cb=take)
    await listener.flush()
    client = Breaking()
    await client.connect(nats.url)
    assert not await Broadcast(client, FORGET).tell(b"forget ada")
    await client.publish(REPLY, b"done")
    await until(lambda: (REPLY, b"done") in heard)
    assert heard == [(FORGET, b"forget ada"), (REPLY, b"done")]
    await client.close()
    await listener.close()


@pytest.mark.parametrize("denied", ["publish", "subscribe"])
async def test_who_may_not_tell_or_hear_knows_it_before_the_first_change(denied, tmp_path):
    file = tmp_path / "nats.conf"
    user = f'{{ user: a, password: b, permissions: {{ {denied}: {{ deny: "{FORGET}" }} }} }}'
    file.write_text(f"authorization {{ users: [ {user} ] }}", encoding="utf-8")
    with nats_server(0, "-c", str(file)) as server:

        async def refused(error):
            broadcast.refused(str(error))

        client = ReconnectingClient()  # its flush does not overtake what is still to be written
        broadcast = Broadcast(client, FORGET)
        broadcast.listen(lambda _: None, lambda: None, lambda: None)
        await client.connect(server.url, user="a", password="b", error_cb=refused, max_reconnect_attempts=-1)
        await broadcast.start()
        assert not broadcast.stands
        if denied == "publish":
            broadcast.disconnected()
            broadcast.reconnected()
            await broadcast.probe()
            await client.flush()
            assert not broadcast.stands
        await client.close()


async def test_that_somebody_is_there_is_no_message(nats):
    heard = []
    client = await connect(nats.url)
    broadcast = Broadcast(client, FORGET)
    broadcast.listen(heard.append, lambda: None, lambda: None)
    await broadcast.start()
    assert broadcast.stands
    assert await broadcast.tell(b"x")
    await until(lambda: heard)
    assert heard == [b"x"]
    await client.close()


@pytest.mark.parametrize("spelling", ["LFX.auth-service.internal.forget", "lfx.auth-service.INTERNAL.FORGET"])
async def test_no_reply_subject_of_a_caller_makes_a_replica_deaf(spelling, tmp_path):
    with accounts(tmp_path) as bus:
        settings = Settings(NatsSettings(servers=(bus.url,), nkey_seed=bus.seeds["AUTH_SERVICE"]))
        client = ReconnectingClient()
        broadcast = Broadcast(client, FORGET)
        lost = []
        broadcast.listen(lambda _: None, lambda: lost.append(1), lambda: None)
        telemetry = Telemetry(version="0", provider="mock")
        broker = create_broker(settings, mock_provider(settings), telemetry, client, broadcast)
        await broker.start()
        async with bus.user("LFX_ONE") as (caller, _), bus.user("OPERATOR") as (operator, _):
            await caller.publish("lfx.auth-service.username_to_sub", b"ada", reply=spelling)
            await operator.publish("$SRV.PING", reply=spelling)
            await operator.request("$SRV.PING", timeout=60)
            reply = await caller.request("lfx.auth-service.username_to_sub", b"ada", timeout=60)
            assert reply.data == b"auth0|ada"
            await client.flush()
        assert (broadcast.stands, lost, bus.violations()) == (True, [], [])
        await broker.drain()
        await broker.stop()


@pytest.mark.parametrize("denied", ["publish", "subscribe"])
async def test_a_permission_that_is_granted_later_is_found_out_on_the_same_connection(denied, tmp_path, monkeypatch):
    monkeypatch.setattr(broadcasts, "TRY_AGAIN", 0.05)
    file = tmp_path / "nats.conf"

    def allow(deny: str) -> None:
        user = f'{{ user: a, password: b, permissions: {{ {denied}: {{ deny: "{deny}" }} }} }}'
        file.write_text(f"authorization {{ users: [ {user} ] }}", encoding="utf-8")

    allow(FORGET)
    with nats_server(0, "-c", str(file)) as server:
        heard, back = [], []

        async def refused(error):
            broadcast.refused(str(error))

        client = ReconnectingClient()
        broadcast = Broadcast(client, FORGET)
        broadcast.listen(heard.append, lambda: None, lambda: back.append(1))
        await client.connect(server.url, user="a", password="b", error_cb=refused, max_reconnect_attempts=-1)
        await broadcast.start()
        assert not broadcast.stands
        allow("something.else")
        os.kill(server.pid, signal.SIGHUP)
        await until(lambda: broadcast.stands)
        assert await broadcast.tell(b"x")
        await until(lambda: heard)
        assert (heard, back, client.stats["reconnects"]) == ([b"x"], [1], 0)
        await client.close()
