# SPDX-License-Identifier: MIT
"""Messages to every replica, when the connection breaks as they are sent."""

from __future__ import annotations

from nats import connect
from nats.aio.client import Client
from nats.errors import ConnectionClosedError

from app.bus.broadcast import Broadcast
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
