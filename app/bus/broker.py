# SPDX-License-Identifier: MIT
"""The NATS broker: connects by the configured rules, subscribes what is declared, drains without losing a request."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from typing import TYPE_CHECKING, Final

from loguru import logger
from nats.errors import ConnectionReconnectingError, Error, FlushTimeoutError

from app.bus.bodies import strings_sent
from app.bus.broadcast import TRY_AGAIN, Broadcast
from app.bus.discovery import Discovery
from app.bus.faststream_inside import ConnectingBroker
from app.bus.nats.client import ReconnectingClient
from app.bus.nats.refusals import SUBSCRIPTION, refusal
from app.bus.nats.security import security_options
from app.bus.repetition import Repetition
from app.bus.subscriber import SubjectSubscriber
from app.bus.turns import Turns
from app.domain.redaction import LOOKED_AT, redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from nats.aio.client import Client

    from app.bus.router import Router
    from app.bus.subjects import Subject
    from app.observability.telemetry import SubjectTelemetry, Telemetry
    from app.settings import NatsSettings, WorkSettings

DRAIN_TIME: Final = 24.0
"""Seconds for finishing what was received. One more is left until the process must be gone: for telling whoever is
left that there was no time, for flushing and for closing."""

_FLUSH_TIME: Final = 0.3
_CLOSE_TIME: Final = 0.2
_LOOK_AGAIN: Final = 0.02
_ATTEMPTS_TOLD: Final = 5
"""Failed attempts to connect that are logged one by one; of what goes wrong with a connection only the first."""

_MAX_ERROR: Final = 512
"""Characters of an error that `/readyz` shows."""

_MAX_UNSENT: Final = 64 * 1024 * 1024
"""Bytes of replies that are kept while NATS is away; nothing is held up before that."""

_PING_INTERVAL: Final = 20
"""Seconds; a server that left two unanswered is gone, though its connection may seem to stand."""


class AuthBroker(ConnectingBroker):
    """A NATS broker that answers every request it has received before it stops.

    It is a FastStream broker with routers like any other, as far as declarations, injection, the test broker and the
    document go. On NATS it runs `SubjectSubscriber`s in the place of FastStream's subscribers.
    """

    subject_subscribers: list[SubjectSubscriber]

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        routers: Iterable[Router],
        *,
        nats: NatsSettings,
        work: WorkSettings,
        telemetry: Telemetry,
        client: ReconnectingClient | None = None,
        broadcast: Broadcast | None = None,
    ) -> None:
        """Take what is declared, how to connect, and the bounds on work; nothing is connected yet.

        The routers stay free for other brokers. `client` is a connection, not yet opened, that others use as well; the
        broker opens and closes it. `broadcast` is what replicas tell each other over it.
        """
        self._broadcast = broadcast
        self.closed = asyncio.Event()
        self.last_error = ""
        self.turns = Turns(max_at_work=work.max_concurrent_requests, max_pending=work.max_pending_requests)
        own = [router.anew(nats.subject_prefix, nats.queue_group) for router in routers]
        super().__init__(nats.servers, logger=None, routers=own)
        self._nats = nats
        self._client = client or ReconnectingClient()
        self._security = security_options(nats)
        # In the order of declaration: FastStream keeps its subscribers in a set.
        self.subject_subscribers = [
            SubjectSubscriber(subject, self.turns, _instruments(telemetry, subject), work.request_timeout)
            for router in own
            for subject in router.subjects
        ]
        declared = [subscriber.declaration for subscriber in self.subject_subscribers]
        self._discovery = Discovery(declared, telemetry.requests.subjects, telemetry.version)
        self._opened = self._subscribed = self._draining = False
        self._refused = ""
        self._refusals = 0
        self._trying: asyncio.Task[None] | None = None
        self._drain_began = 0.0
        self._errors = Repetition("NATS error")
        self._telemetry = telemetry
        telemetry.show("requests_in_flight", "Requests at work.", lambda: self.turns.at_work)
        telemetry.show("requests_pending", "Requests that wait for their turn.", lambda: self.turns.pending)
        telemetry.show("drain_seconds", "Seconds since the drain began, else 0.", self._drained_for)

    def _drained_for(self) -> float:
        return time.monotonic() - self._drain_began if self._draining else 0.0

    async def start(self) -> None:
        """Connect, subscribe, and return when the server knows of every subscription."""
        await self.connect()
        for subscriber in self.subject_subscribers:
            await subscriber.start(self._client, self.context)
        for publisher in self.publishers:
            await publisher.start()
        self.running = True
        await self._discovery.start(self._client)
        await self._at_last(self._client.flush)
        self._subscribed = True

    async def open(self) -> Client:
        """Connect by the configured rules. Raises NoServersError when all attempts failed."""
        await self._client.connect(
            list(self._nats.servers),
            name="lfx-v2-auth-service",
            connect_timeout=self._nats.timeout,
            max_reconnect_attempts=self._nats.max_reconnect,
            reconnect_time_wait=self._nats.reconnect_wait,
            ping_interval=_PING_INTERVAL,
            pending_size=_MAX_UNSENT,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            **self._security,
        )
        if self._broadcast is not None:  # before there are requests, so that no change is missed
            await self._at_last(self._broadcast.start)
        self._opened = True
        return self._client

    @property
    def state(self) -> str:
        """Empty when requests are received; otherwise what is missing, in one line."""
        if self._draining:
            return "draining"
        because = self.last_error and f": {redact(self.last_error, most=_MAX_ERROR)}"
        if not self._opened or self._client.is_closed:
            return f"not connected{because}"
        if not self._client.is_connected:
            return f"reconnecting{because}"
        if self._refused:
            return f"not subscribed: {redact(self._refused, most=_MAX_ERROR)}"
        return "" if self._subscribed else "not subscribed"

    async def drain(self, within: float = DRAIN_TIME) -> bool:
        """Leave the queue group, finish what was received and reply; return whether everybody got a proper reply.

        What is not finished when `within` seconds are over is answered `request timed out`.
        """
        self._draining = True
        self._drain_began = time.monotonic()
        if self._trying is not None:
            self._trying.cancel()
        left = 0
        try:
            async with asyncio.timeout(within):
                unsent = self._client.pending_data_size
                await self._retire()
                await asyncio.gather(*(self._leave(subscriber) for subscriber in self.subject_subscribers))
                unsubscribed = self._client.pending_data_size
                await self.turns.finished()
                if unsent or self._client.pending_data_size > unsubscribed:
                    await self._reconnected()
        except TimeoutError:
            left = self.turns.abandon()
            self._telemetry.drain_cut_short(left)
        try:
            async with asyncio.timeout(_FLUSH_TIME):
                await asyncio.gather(*(subscriber.settle() for subscriber in self.subject_subscribers))
                if self._client.is_connected:
                    await self._client.flush()
        except Exception as error:  # noqa: BLE001 - the connection may go at any moment; we are leaving anyway
            logger.warning("replies may not have left", error=repr(error))
        return not left

    async def stop(self, *_: object) -> None:
        """Close the connection; `drain` comes before."""
        self.running = self._opened = False
        try:
            async with asyncio.timeout(_CLOSE_TIME):
                await self._client.close()
        except Exception as error:  # noqa: BLE001 - as above
            logger.debug("connection did not close cleanly", error=repr(error))
        self._errors.close()
        self.config.disconnect()

    async def _retire(self) -> None:
        try:
            await self._discovery.stop()
        except Exception as error:  # noqa: BLE001 - not connected just now: nobody asks either
            logger.debug("could not unsubscribe", error=repr(error))

    async def _leave(self, subscriber: SubjectSubscriber) -> None:
        try:
            await subscriber.drain()
        except Exception as error:  # noqa: BLE001 - not connected just now: there is no queue group to leave
            logger.debug("could not unsubscribe", subject=subscriber.declaration.name, error=repr(error))
            if not self._client.is_connected:
                self._stay_away(subscriber)

    def _stay_away(self, subscriber: SubjectSubscriber) -> None:
        """Let a reconnection not join the queue group again; what was received is dealt with all the same."""
        if subscriber.subscription is not None:
            self._client.give_up(subscriber.subscription)

    async def _at_last(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step of the start, and again where the connection was lost meanwhile."""
        while True:
            with contextlib.suppress(ConnectionReconnectingError, FlushTimeoutError):
                return await step()
            await self._reconnected()

    async def _reconnected(self) -> None:
        """Wait until NATS is there again, or gone for good."""
        while not (self._client.is_connected or self._client.is_closed):  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(_LOOK_AGAIN)

    async def _on_error(self, error: Exception) -> None:
        self.last_error = (str(error) or type(error).__name__)[:LOOKED_AT]
        if self._broadcast is not None and self._broadcast.refused(self.last_error):
            return
        # Without any other subscription requests are served.
        what, subject = refusal(self.last_error)
        if what == SUBSCRIPTION and subject.startswith(self._nats.subject_prefix.lower()):
            self._refused = self.last_error
            self._refusals += 1
            if self._trying is None and not self._draining:
                self._trying = asyncio.get_running_loop().create_task(self._try_again(), name="subscribe")
        # Whoever names reply subjects that are not allowed, or floods discovery, makes one of each message.
        kind = self.last_error.partition('"')[0] if type(error) is Error else type(error).__name__
        self._errors.warn(kind, self.last_error, 1 if self._client.is_connected else _ATTEMPTS_TOLD)

    async def _try_again(self) -> None:
        """Subscribe to what the server refused or took away, until it has all, or the connection is another one."""
        while self._refused:
            await asyncio.sleep(TRY_AGAIN)
            before = self._refusals
            with contextlib.suppress(OSError, Error):  # no connection just now: the next one subscribes to all
                for subscriber in self.subject_subscribers:
                    if subscriber.subscription is not None:
                        await self._client.ask_again(subscriber.subscription)
                await self._client.flush()
                if self._refused and self._refusals == before:
                    self._refused = self.last_error = ""
                    logger.info("NATS subscribed again")
        self._trying = None

    async def _on_disconnected(self) -> None:
        self._subscribed, self._refused = False, ""
        if self._broadcast is not None:
            self._broadcast.disconnected()
        if self._draining:
            for subscriber in self.subject_subscribers:
                self._stay_away(subscriber)
        elif not self.closed.is_set():
            logger.warning("NATS disconnected")

    async def _on_reconnected(self) -> None:
        # The client library has subscribed again, and the server has said that it knows.
        self._subscribed, self.last_error = True, ""
        if self._broadcast is not None:
            self._broadcast.reconnected()
            await self._broadcast.probe()
        logger.info("NATS reconnected")

    async def _on_closed(self) -> None:
        self.closed.set()


def _instruments(telemetry: Telemetry, subject: Subject) -> SubjectTelemetry:
    return telemetry.of_subject(subject.name, functools.partial(strings_sent, subject.request))
