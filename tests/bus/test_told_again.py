# SPDX-License-Identifier: MIT
"""Warnings that come again, and messages to all replicas: without a server, in seconds that pass at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from loguru import logger
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError

from app.bus.broadcast import TRY_AGAIN, Broadcast
from app.bus.repetition import Repetition
from tests.support.virtual_time import in_virtual_time, now

SUBJECT = "lfx.auth-service.internal.Forget"


@pytest.fixture
def log():
    lines: list[tuple[str, str, int | None]] = []

    def keep(message: Any) -> None:
        extra = message.record["extra"]
        lines.append((message.record["message"], extra.get("error"), extra.get("times")))

    handler = logger.add(keep, level="WARNING")
    yield lines
    logger.remove(handler)


@in_virtual_time
async def test_the_first_are_told_and_after_ten_seconds_how_many_came_after(log):
    some = Repetition("odd")
    for number in range(5):
        some.warn("a", f"the {number}th", at_once=2)
    assert log == [("odd", "the 0th", None), ("odd", "the 1th", None)]
    await asyncio.sleep(9.9)
    assert len(log) == 2
    await asyncio.sleep(0.2)
    assert log[2:] == [("odd again", "the 4th", 3)]
    some.warn("a", "more", at_once=2)
    await asyncio.sleep(10.0)
    assert log[3:] == [("odd again", "more", 1)]
    await asyncio.sleep(10.0)
    some.warn("a", "anew", at_once=2)
    assert log[4:] == [("odd", "anew", None)]
    some.close()


@in_virtual_time
async def test_each_kind_is_told_by_itself_and_sixteen_are_told_apart(log):
    some = Repetition("odd")
    for number in range(18):
        some.warn(f"kind {number}", f"error {number}")
    some.warn("kind 15", "again")
    assert [error for _, error, _ in log] == [f"error {number}" for number in range(17)]
    some.close()
    assert sorted(log[17:]) == [("odd again", "again", 1), ("odd again", "error 17", 1)]
    await asyncio.sleep(20.0)
    assert len(log) == 19
    some.warn("kind 17", "anew")
    assert log[19:] == [("odd", "anew", None)]
    some.close()


class Subscription:
    pending_msgs = unsubscribed = 0

    async def unsubscribe(self) -> None:
        self.unsubscribed += 1


class Client:
    """What a broadcast needs of the client library."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.subscribed: list[tuple[str, dict[str, Any]]] = []
        self.subscriptions: list[Subscription] = []
        self.flushed: list[int] = []
        self.error: Exception | None = None
        self.closed = False
        self.on_flush: Any = lambda: None

    async def publish(self, subject: str, body: bytes) -> None:
        self.published.append((subject, body))
        if self.closed:
            raise ConnectionClosedError

    async def flush(self, seconds: int) -> None:
        self.flushed.append(seconds)
        self.on_flush()
        if self.error is not None:
            raise self.error

    async def subscribe(self, subject: str, **options: Any) -> Subscription:
        self.subscribed.append((subject, options))
        self.subscriptions.append(Subscription())
        return self.subscriptions[-1]


class Listener:
    def __init__(self, broadcast: Broadcast) -> None:
        self.heard: list[bytes] = []
        self.lost = self.back = 0
        broadcast.listen(self.heard.append, self._lost, self._back)

    def _lost(self) -> None:
        self.lost += 1

    def _back(self) -> None:
        self.back += 1


@in_virtual_time
async def test_a_message_is_told_when_the_server_has_it(log):
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    assert await broadcast.tell(b"m") is True
    assert (client.published, client.flushed) == ([(SUBJECT, b"m")], [2])
    client.error = TimeoutError()
    assert await broadcast.tell(b"n") is False
    assert client.published[1:] == [(SUBJECT, b"n")] * 2  # once more, before whatever comes next
    assert log == [("other replicas could not be told of a change", "TimeoutError()", None)]
    client.closed = True
    assert await broadcast.tell(b"o") is False
    assert [error for _, error, _ in log[1:]] == [repr(ConnectionClosedError())]


@in_virtual_time
async def test_whoever_listens_can_find_out_whether_messages_may_be_sent():
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    await broadcast.probe()
    assert client.published == []
    Listener(broadcast)
    await broadcast.probe()
    client.closed = True
    await broadcast.probe()
    assert client.published == [(SUBJECT, b"")] * 2


@in_virtual_time
async def test_it_stands_once_it_listens_until_the_connection_is_gone():
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    listener = Listener(broadcast)
    assert broadcast.stands is False
    await broadcast.start()
    assert (broadcast.stands, listener.back, listener.lost) == (True, 0, 0)
    [(subject, options)] = client.subscribed
    assert (subject, options["pending_msgs_limit"], options["pending_bytes_limit"]) == (SUBJECT, -1, -1)
    assert "queue" not in options
    assert client.flushed == [2]

    for data in (b"", b"m"):  # an empty one only finds out whether messages may be sent
        await options["cb"](Msg(None, subject=SUBJECT, data=data))
    assert listener.heard == [b"m"]
    assert broadcast.unheard is False
    client.subscriptions[0].pending_msgs = 1
    assert broadcast.unheard is True
    broadcast.disconnected()
    assert (broadcast.stands, listener.lost) == (False, 1)
    broadcast.reconnected()
    assert (broadcast.stands, listener.back) == (True, 1)


@in_virtual_time
async def test_where_nobody_listens_nothing_is_subscribed():
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    await broadcast.start()
    broadcast.disconnected()
    broadcast.reconnected()
    assert (broadcast.stands, client.subscribed, client.flushed) == (False, [], [])
    assert broadcast.unheard is False


@pytest.mark.parametrize("what", ["Subscription", "Publish"])
@pytest.mark.parametrize("late", [False, True])
@in_virtual_time
async def test_what_is_refused_does_not_stand_until_the_next_connection(late, what):
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    listener = Listener(broadcast)
    error = f'nats: Permissions Violation for {what} to "{SUBJECT}"'
    if not late:
        client.on_flush = lambda: broadcast.refused(error)
    await broadcast.start()
    if late:
        assert broadcast.refused(error) is True
    assert (broadcast.stands, listener.lost) == (False, 1)
    broadcast.reconnected()
    assert (broadcast.stands, listener.back) == (False, 0)
    broadcast.disconnected()
    broadcast.reconnected()
    assert (broadcast.stands, listener.back) == (True, 1)


@pytest.mark.parametrize("what", ["subscription", "publish"])
@in_virtual_time
async def test_a_refusal_is_told_once_and_holds_no_longer_than_it_is_one(what, log):
    client = Client()
    broadcast = Broadcast(client, SUBJECT)
    listener = Listener(broadcast)
    await broadcast.start()
    error = f'nats: permissions violation for {what} to "{SUBJECT.lower()}"'
    client.on_flush = lambda: broadcast.refused(error)
    for _ in range(20):
        assert broadcast.refused(error) is True
    assert TRY_AGAIN == 30.0
    await asyncio.sleep(100.0)  # three times it is refused again
    assert (broadcast.stands, listener.lost, listener.back) == (False, 1, 0)
    assert log == [("replicas cannot tell each other of changes", error, None)]
    assert (len(client.subscribed), client.published) == (4, [(SUBJECT, b"")] * 4)
    client.error, client.on_flush = TimeoutError(), lambda: None  # this tells nothing
    await asyncio.sleep(30.0)
    assert broadcast.stands is False
    client.error = None
    await asyncio.sleep(30.0)
    assert (broadcast.stands, listener.lost, listener.back) == (True, 1, 1)
    await asyncio.sleep(100.0)
    assert len(client.subscribed) == 6  # it is tried no more
    assert [one.unsubscribed for one in client.subscriptions] == [1] * 5 + [0]
    broadcast.refused(error)
    assert (broadcast.stands, listener.lost, len(log)) == (False, 2, 2)
    for _ in range(2):  # a connection may be lost again before anything is asked of it
        broadcast.disconnected()
        await asyncio.sleep(100.0)
    assert (broadcast.stands, len(client.subscribed)) == (False, 6)


@pytest.mark.parametrize(
    "error",
    [
        f'permissions violation: nats: permissions violation for publish to "{SUBJECT.lower()}"',
        f'nats: permissions violation for publish to "{SUBJECT.lower()}.x"',
        rf'nats: permissions violation for publish to "a\"{SUBJECT.lower()}"',
        'nats: permissions violation for subscription to "lfx.auth-service.other"',
        'nats: permissions violation for publish to "lfx.auth-service.other"',
        "nats: stale connection",
    ],
)
@in_virtual_time
async def test_other_errors_refuse_nothing(error):
    broadcast = Broadcast(Client(), SUBJECT)
    listener = Listener(broadcast)
    await broadcast.start()
    assert broadcast.refused(error) is False
    assert (broadcast.stands, listener.lost, now()) == (True, 0, 0.0)
