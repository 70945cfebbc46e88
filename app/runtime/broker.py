"""The NATS broker: connects by the configured rules, subscribes what is declared, drains without losing a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from faststream._internal.broker.registrator import Registrator
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.nats import NatsBroker, NatsRouter
from faststream.nats.subscriber.config import NatsSubscriberConfig, NatsSubscriberSpecificationConfig
from faststream.nats.subscriber.specification import NatsSubscriberSpecification
from loguru import logger
from nats.js.api import ConsumerConfig

from app.runtime.nats_security import security_options
from app.runtime.subjects import QUEUE_GROUP
from app.runtime.subscriber import SubjectSubscriber
from app.runtime.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.runtime.subjects import Subject
    from app.runtime.telemetry import Telemetry
    from app.settings import NatsSettings, WorkSettings

DRAIN_TIME: Final = 25.0
"""Seconds from the signal to the end, at most."""

_LAST_WORDS: Final = 1.0
"""Seconds of them for telling whoever is left that there was no time, and for the flush."""

_UNLIMITED: Final = -1
"""The client library drops nothing: the callback never waits, so its queue is empty most of the time, and what
waits for its turn is bounded by `Turns`."""


class SubjectRouter(NatsRouter):
    """A FastStream router whose subscribers are `SubjectSubscriber`s."""

    def serve(self, subject: Subject, turns: Turns, telemetry: Telemetry, request_timeout: float) -> SubjectSubscriber:
        """Subscribe `subject`'s handler in the queue group; return the subscriber."""
        outer: Any = self.config
        calls: CallsCollection[Any] = CallsCollection()
        subscriber = SubjectSubscriber(
            NatsSubscriberConfig(
                subject=subject.address,
                sub_config=ConsumerConfig(filter_subjects=[]),
                extra_options={"pending_msgs_limit": _UNLIMITED, "pending_bytes_limit": _UNLIMITED},
                _outer_config=outer,
            ),
            NatsSubscriberSpecification(
                _outer_config=outer,
                calls=calls,
                specification_config=NatsSubscriberSpecificationConfig(
                    subject=subject.address,
                    queue=QUEUE_GROUP,
                    title_=subject.name,
                    description_=subject.summary,
                    include_in_schema=True,
                ),
            ),
            calls,
            queue=QUEUE_GROUP,
        )
        subscriber.bind(subject, turns, telemetry.of_subject(subject.name), request_timeout)
        Registrator.subscriber(self, subscriber)
        subscriber(subject.handler)
        return subscriber


class AuthBroker(NatsBroker):
    """A NATS broker that answers every request it has received before it stops."""

    subject_subscribers: list[SubjectSubscriber]

    def __init__(
        self, subjects: Iterable[Subject], *, nats: NatsSettings, work: WorkSettings, telemetry: Telemetry
    ) -> None:
        """Take what is declared, how to connect, and the bounds on work; nothing is connected yet."""
        self.closed = asyncio.Event()
        self.last_error = ""
        self.turns = Turns(
            max_at_work=work.max_concurrent_requests,
            max_pending=work.max_pending_requests,
            grace=work.request_timeout,
        )
        super().__init__(
            nats.servers,
            logger=None,
            name="lfx-v2-auth-service",
            connect_timeout=max(1, round(nats.timeout)),
            allow_reconnect=nats.max_reconnect != 0,
            max_reconnect_attempts=nats.max_reconnect,
            reconnect_time_wait=nats.reconnect_wait,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
        )
        self._connection_kwargs.update(security_options(nats))
        router = SubjectRouter()
        self.subject_subscribers = [
            router.serve(subject, self.turns, telemetry, work.request_timeout) for subject in subjects
        ]
        self.include_router(router)
        self._subscribed = False
        telemetry.watch(self.turns)

    async def start(self) -> None:
        """Connect, subscribe, and return when the server knows of every subscription."""
        await super().start()
        await self.connection.flush()
        self._subscribed = True

    @property
    def state(self) -> str:
        """Empty when requests are received; otherwise what is missing, in one line."""
        connection = self._connection
        if connection is None or connection.is_closed:
            return f"not connected{self.last_error and ': ' + self.last_error}"
        if connection.is_reconnecting:
            return f"reconnecting{self.last_error and ': ' + self.last_error}"
        return "" if self._subscribed else "not subscribed"

    async def drain(self, within: float = DRAIN_TIME) -> bool:
        """Leave the queue group, finish what was received and reply; return whether everybody got a proper reply.

        What is not finished a second before `within` seconds are over is answered `request timed out`.
        """
        self._subscribed = False
        proper = True
        try:
            async with asyncio.timeout(within - _LAST_WORDS):
                await asyncio.gather(*(self._leave(subscriber) for subscriber in self.subject_subscribers))
                await self.turns.finished()
        except TimeoutError:
            left = self.turns.abandon()
            proper = not left
            logger.warning("drain cut short", unfinished=left)
        try:
            async with asyncio.timeout(_LAST_WORDS / 2):
                await asyncio.gather(*(subscriber.settle() for subscriber in self.subject_subscribers))
                if self._connection is not None and self._connection.is_connected:
                    await self._connection.flush()
        except Exception as error:  # the connection may go at any moment; we are leaving anyway
            logger.warning("replies may not have left", error=repr(error))
        return proper

    async def stop(self, *_: object) -> None:
        """Close the connection; `drain` comes before."""
        for subscriber in self.subject_subscribers:
            subscriber.running = False
            subscriber.subscription = None
        self.running = False
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed:
            try:
                async with asyncio.timeout(_LAST_WORDS / 2):
                    await connection.close()
            except Exception as error:  # as above
                logger.debug("connection did not close cleanly", error=repr(error))
        self.config.disconnect()

    async def _leave(self, subscriber: SubjectSubscriber) -> None:
        try:
            await subscriber.drain()
        except Exception as error:  # not connected just now: there is no queue group to leave
            logger.debug("could not unsubscribe", subject=subscriber.declaration.name, error=repr(error))

    async def _on_error(self, error: Exception) -> None:
        self.last_error = str(error) or type(error).__name__
        logger.warning("NATS error", error=self.last_error)

    async def _on_disconnected(self) -> None:
        if self._subscribed:
            logger.warning("NATS disconnected")

    async def _on_reconnected(self) -> None:
        self.last_error = ""
        logger.info("NATS reconnected")

    async def _on_closed(self) -> None:
        self.closed.set()
