# SPDX-License-Identifier: MIT
"""Following the tenant's events: one replica reads, every replica forgets, and all know whether the stream stands."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
from loguru import logger

from app.domain.errors import ServiceError
from app.domain.tasks import ended
from providers.auth0.events.lease import RENEWED_EVERY, Lease, LeaseUnavailable, NoJetStream
from providers.auth0.events.stream import SILENCE, EventStream, OffsetRefused, StreamRefused, open_stream_client
from providers.auth0.tenant.errors import CredentialsRefused
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from nats.aio.client import Client

    from providers.auth0.events.memory import Remembers
    from providers.auth0.events.stream import Word
    from providers.auth0.tokens.credentials import Credentials

T = TypeVar("T")

STANDS: Final = b"s"
FALLEN: Final = b"d"
"""Kinds of messages to all replicas: the stream stands; it does not any more."""

TOLD_EVERY: Final = 1.0
BELIEVED_FOR: Final = 5.0
"""Seconds without word from the reader after which the stream does not stand: it may have died."""

_LOOK: Final = 1.0
_GRACE: Final = 3.0
"""Seconds in which a stream that was closed is open again, before the others are told that it fell."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_ALONE_FOR: Final = 60.0
_LEAVES_WITHIN: Final = 1.0
_BROKEN: Final = (httpx.HTTPError, BrokenAnswer, OSError, TimeoutError, ServiceError, CredentialsRefused)


class Following:
    """Reads the stream where this replica has the lease, and knows whether some replica does."""

    def __init__(self, memory: Remembers, lease: Lease, fresh_for: float) -> None:
        """Take what forgets, who may read, and how old answers may be while the stream stands (seconds)."""
        self._memory = memory
        self._lease = lease
        self._offset = ""
        self._believed_until = 0.0
        self._open = False
        self._closed = self._said = -math.inf
        self._received = self._connections = self._odd = 0
        self._warned = False
        self._task: asyncio.Task[None] | None = None
        memory.hear(STANDS, self._stands)
        memory.hear(FALLEN, self._fell)
        memory.trust(lambda: fresh_for if self.stands else 0.0)

    @property
    def stands(self) -> bool:
        """Whether some replica reads the stream, which said something in the last minute."""
        return asyncio.get_running_loop().time() < self._believed_until

    def measurements(self) -> Mapping[str, float]:
        """Return what is measured, by the metric's name."""
        return {
            "auth_service_auth0_events_stands": float(self.stands),
            "auth_service_auth0_events_reads": float(self._open),
            "auth_service_auth0_events_received_total": self._received,
            "auth_service_auth0_events_odd_total": self._odd,
            "auth_service_auth0_events_connections_total": self._connections,
        }

    def _stands(self) -> None:
        self._believed_until = asyncio.get_running_loop().time() + BELIEVED_FOR

    def _fell(self) -> None:
        self._believed_until = 0.0

    def begin(self, open_stream: Callable[[], EventStream]) -> None:
        """Follow what `open_stream` gives, until `leave` is called; it is called in a thread that keeps nobody."""

        async def follow() -> None:
            # Loading the library takes seconds: beside everything else, not before it.
            await self.run(await _in_thread(open_stream))

        self._task = asyncio.create_task(follow(), name="auth0 events")

    async def leave(self) -> None:
        """Follow no more, and release the lease, so that another replica need not wait until it has run out."""
        if self._task is not None:
            await _over(self._task, within=_LEAVES_WITHIN)

    async def run(self, stream: EventStream) -> None:
        """Take the lease when it is free, and read `stream` while it is held; for ever."""
        while True:
            try:
                if await self._lease.take():
                    await self._hold(stream)
            except LeaseUnavailable as error:
                logger.debug("the lease of the tenant's events cannot be had", error=str(error))
            except NoJetStream:
                logger.debug("there is no JetStream: this replica reads the tenant's events for itself")
                await self._alone(stream)
            except Exception as error:  # noqa: BLE001 - nothing may end this but the end of the service
                logger.opt(exception=error).error("following the tenant's events failed")
            await asyncio.sleep(_LOOK)

    async def _alone(self, stream: EventStream) -> None:
        """Read without a lease, and look now and then whether there is JetStream by now."""
        reading, telling = asyncio.create_task(self._read(stream)), asyncio.create_task(self._tell())
        try:
            while True:
                await asyncio.sleep(_ALONE_FOR)
                try:
                    await self._lease.take()
                except (NoJetStream, LeaseUnavailable):
                    continue
                return
        finally:
            await _over(reading, telling)
            await self._memory.tell(FALLEN)

    async def _hold(self, stream: EventStream) -> None:
        """Read while the lease is held; release it at the end."""
        if self._lease.offset:
            self._offset = self._lease.offset
        reading, telling = asyncio.create_task(self._read(stream)), asyncio.create_task(self._tell())
        try:
            while self._lease.held:
                await asyncio.sleep(RENEWED_EVERY)
                try:
                    if not await self._lease.renew(self._offset):
                        return
                except LeaseUnavailable as error:
                    logger.debug("the lease of the tenant's events cannot be renewed", error=str(error))
        finally:
            await _over(reading, telling)
            if self._lease.held:
                await self._memory.tell(FALLEN)
                try:
                    await self._lease.renew(self._offset, release=True)
                except LeaseUnavailable:
                    logger.debug("the lease of the tenant's events cannot be released")

    async def _tell(self) -> None:
        """Tell all replicas, again and again, whether the stream stands."""
        loop, standing = asyncio.get_running_loop(), False
        while True:
            stands = self._reads_on(loop.time())
            if stands:
                await self._memory.tell(STANDS)
            elif standing:
                await self._memory.tell(FALLEN)
            standing = stands
            await asyncio.sleep(TOLD_EVERY)

    def opened(self) -> None:
        """Take note that the tenant has granted a stream."""
        self._connections += 1
        self._open = True

    def _reads_on(self, now: float) -> bool:
        """Whether this replica reads a stream that said something lately; a moment between two connections is none."""
        return self._said > now - SILENCE and (self._open or self._closed > now - _GRACE)

    async def _read(self, stream: EventStream) -> None:
        """Read the stream, connection after connection; for ever."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        self._closed = self._said = -math.inf
        while True:
            begun = loop.time()
            said = await self._read_once(stream)
            if said:
                pause = _FIRST_PAUSE
            if loop.time() < begun + 1.0:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _read_once(self, stream: EventStream) -> bool:
        """Read one connection to its end; return whether it said anything."""
        loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        try:
            async for word in stream.words(self._offset):
                await self._take(word)
        except OffsetRefused:
            # What happened since then is lost: nothing of before counts, and it begins anew at the end.
            self._offset, self._said = "", -math.inf
            await self._memory.tell(FALLEN)
            await self._memory.forget_fresh()
        except StreamRefused as refused:
            self._warn(str(refused))
        except _BROKEN as error:
            logger.debug("the stream of the tenant's events broke", error=type(error).__name__)
        finally:
            if self._open:
                self._open, self._closed = False, loop.time()
        return self._said >= begun

    async def _take(self, word: Word) -> None:
        now = asyncio.get_running_loop().time()
        if not self._reads_on(now):
            # What was read before the stream stood may have been changed meanwhile, unheard of or not heard of yet.
            await self._memory.forget_fresh()
        if word.unknown:
            self._odd += 1
            await self._memory.forget_fresh()
        elif word.user_id:
            await self._memory.forget(word.user_id, addresses=word.addresses)
        if word.user_id:
            self._received += 1
        if word.offset:
            self._offset = word.offset
        self._said = now
        self._warned = False

    def _warn(self, why: str) -> None:
        if not self._warned:
            logger.warning("the tenant's events cannot be read", reason=why)
        self._warned = True


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do work in a thread for which the process does not wait when it ends, as it does for those of the loop."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not done.done():
            outcome()

    def run() -> None:
        try:
            made = work()
        except Exception as error:  # noqa: BLE001 - for whoever waits
            outcome = functools.partial(done.set_exception, error)
        else:
            outcome = functools.partial(done.set_result, made)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="auth0 library", daemon=True).start()
    return done


async def _over(*tasks: asyncio.Task[None], within: float = 0.1) -> None:
    """End tasks, and tell of one that failed; each has `within` seconds to put things in order."""
    for task in tasks:
        await ended(task, within)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("reading the tenant's events failed")


@asynccontextmanager
async def following(
    memory: Remembers, client: Client, origin: str, credentials: Credentials, fresh_for: float
) -> AsyncIterator[Following]:
    """Follow the tenant's events while the context lasts."""
    followed = Following(memory, Lease(client), fresh_for)
    async with open_stream_client(followed.opened) as http:
        sent = ""

        async def token() -> str:
            nonlocal sent
            sent = await credentials.token()
            return sent

        followed.begin(lambda: EventStream(origin, http, token, lambda: credentials.discard(sent)))
        try:
            yield followed
        finally:
            await followed.leave()
