# SPDX-License-Identifier: MIT
"""Messages to every replica, when the connection breaks as they are sent."""

from __future__ import annotations

import pytest
from nats import connect
from nats.aio.client import Client
from nats.errors import ConnectionClosedError

from app.bus.broadcast import Broadcast
from app.bus.nats.client import ReconnectingClient
from app.cli.dev.nats_server import nats_server
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
