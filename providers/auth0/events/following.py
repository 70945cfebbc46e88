# SPDX-License-Identifier: MIT
"""Follows the tenant's events: one replica reads, every replica forgets, and all know whether the stream is up."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
from loguru import logger

from app.domain.errors import ServiceError
from app.domain.tasks import ended
from providers.auth0.events.lease import RENEWED_EVERY, BucketRefused, Lease, LeaseUnavailable, NoJetStream
from providers.auth0.events.standing import TOLD_EVERY, Standing
from providers.auth0.events.stream import SILENCE, EventStream, OffsetRefused, StreamRefused, open_stream_client
from providers.auth0.tenant.errors import CredentialsRefused
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from providers.auth0.events.memory import Remembers
    from providers.auth0.events.stream import Word
    from providers.auth0.tokens.credentials import Credentials

T = TypeVar("T")

STANDS: Final = b"s"
FALLEN: Final = b"d"
"""Kinds of messages to all replicas: the stream is up; the stream is down."""

_LOOK: Final = 1.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_LONGEST_AFTER_REFUSAL: Final = 60.0
"""Seconds. A refusal ends when somebody changes the tenant, and after each 401 a new token is fetched, which costs."""

_ALONE_FOR: Final = 60.0
_LEAVES_WITHIN: Final = 1.0
_BROKEN: Final = (httpx.HTTPError, BrokenAnswer, OSError, TimeoutError, ServiceError, CredentialsRefused)


class Following:
    """Reads the stream if this replica has the lease, and knows whether any replica reads it."""

    def __init__(self, memory: Remembers, lease: Lease, fresh_for: float) -> None:
        """Take the remembered answers, the lease, and the maximum age of answers while the stream is up (seconds)."""
        self._memory = memory
        self._lease = lease
        self._offset = ""
        self.standing = Standing()
        self._warned = self._is_refused = False
        self._task: asyncio.Task[None] | None = None
        memory.hear(STANDS, self.standing.believe)
        memory.hear(FALLEN, self.standing.doubt)
        memory.trust(lambda: fresh_for if self.standing.stands else 0.0)

    def begin(self, open_stream: Callable[[], EventStream]) -> None:
        """Follow the stream of `open_stream` until `leave` is called. `open_stream` runs in its own thread."""

        async def follow() -> None:
            while True:
                try:
                    # Loading the library takes seconds: beside everything else, not before it.
                    stream = await _in_thread(open_stream)
                    break
                except Exception as error:  # noqa: BLE001 - nothing may end this but the end of the service
                    logger.opt(exception=error).error("the reader of the tenant's events could not be loaded")
                await asyncio.sleep(_LONGEST_AFTER_REFUSAL)
            await self.run(stream)

        self._task = asyncio.create_task(follow(), name="auth0 events")

    async def leave(self) -> None:
        """Stop, and release the lease, so that another replica does not have to wait for its end."""
        if self._task is not None:
            await _over(self._task, within=_LEAVES_WITHIN)

    async def run(self, stream: EventStream) -> None:
        """Take the lease when it is free, and read `stream` while it is held. Never ends by itself."""
        while True:
            try:
                if await self._lease.take():
                    self.standing.leases += 1
                    await self._hold(stream)
            except BucketRefused as error:
                self._warn(str(error))
            except LeaseUnavailable as error:
                logger.debug("the lease of the tenant's events cannot be had", error=str(error))
            except NoJetStream:
                logger.debug("there is no JetStream: this replica reads the tenant's events for itself")
                await self._alone(stream)
            except Exception as error:  # noqa: BLE001 - nothing may end this but the end of the service
                logger.opt(exception=error).error("following the tenant's events failed")
            await asyncio.sleep(_LOOK)

    async def _alone(self, stream: EventStream) -> None:
        """Read without a lease, and check from time to time whether JetStream is available."""
        async with self._reading(stream) as reading:
            while not reading.done():
                await asyncio.wait([reading], timeout=_ALONE_FOR)
                with contextlib.suppress(NoJetStream, LeaseUnavailable):
                    await self._lease.take()
                    return

    async def _hold(self, stream: EventStream) -> None:
        """Read while the lease is held; release it at the end."""
        if self._lease.offset:
            self._offset = self._lease.offset
        try:
            async with self._reading(stream) as reading:
                while self._lease.held and not reading.done():
                    await asyncio.wait([reading], timeout=RENEWED_EVERY)
                    try:
                        if not await self._lease.renew(self._offset):
                            return
                    except LeaseUnavailable as error:
                        logger.debug("the lease of the tenant's events cannot be renewed", error=str(error))
        finally:
            if self._lease.held:
                try:
                    await self._lease.renew(self._offset, release=True)
                except LeaseUnavailable:
                    logger.debug("the lease of the tenant's events cannot be released")

    @asynccontextmanager
    async def _reading(self, stream: EventStream) -> AsyncIterator[asyncio.Task[None]]:
        """Read and send messages while the context lasts. Then tell that the stream is down."""
        reading, telling = asyncio.create_task(self._read(stream)), asyncio.create_task(self._tell())
        try:
            yield reading
        finally:
            await _over(reading, telling)
            await self._memory.tell(FALLEN)

    async def _tell(self) -> None:
        """Tell all replicas repeatedly whether the stream is up."""
        standing = False
        while True:
            stands = self.standing.reads_on
            if stands:
                await self._memory.tell(STANDS)
            elif standing:
                await self._memory.tell(FALLEN)
            standing = stands
            await asyncio.sleep(TOLD_EVERY)

    async def _read(self, stream: EventStream) -> None:
        """Read the stream, connection after connection. Never ends by itself."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        self.standing.anew()
        while True:
            begun = loop.time()
            said = await self._read_once(stream)
            if said:
                pause = _FIRST_PAUSE
            if loop.time() < begun + 1.0:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_AFTER_REFUSAL if self._is_refused else _LONGEST_PAUSE)

    async def _read_once(self, stream: EventStream) -> bool:
        """Read one connection to its end; return whether it said anything."""
        begun, self._is_refused = asyncio.get_running_loop().time(), False
        try:
            async with asyncio.timeout(SILENCE) as patience:
                async for word in stream.words(self._offset):
                    await self._take(word)
                    # Bytes that say nothing keep a connection open, and it is no good.
                    patience.reschedule(self.standing.said + SILENCE)
        except OffsetRefused:
            # What happened since then is lost: nothing of before counts, and it begins anew at the end.
            self._offset = ""
            self.standing.refused += 1
            self.standing.anew()
            await self._memory.tell(FALLEN)
            await self._memory.forget_fresh()
        except StreamRefused as refused:
            self._is_refused = True
            self._warn(str(refused))
        except _BROKEN as error:
            logger.debug("the stream of the tenant's events broke", error=type(error).__name__)
        except Exception:  # what nobody foresaw must not come again from the same place
            self._offset = ""
            raise
        finally:
            self.standing.closed()
        return self.standing.said >= begun

    async def _take(self, word: Word) -> None:
        if not self.standing.reads_on:
            # What was read before the stream stood may have been changed meanwhile, unheard of or not heard of yet.
            await self._memory.forget_fresh()
        if word.unknown:
            self.standing.odd += 1
            await self._memory.forget_fresh()
        elif word.user_id:
            await self._memory.forget(word.user_id, addresses=word.addresses)
        if word.user_id:
            self.standing.received += 1
        if word.offset:
            self._offset = word.offset
        self.standing.spoke()
        self._warned = False

    def _warn(self, why: str) -> None:
        if not self._warned:
            logger.warning("the tenant's events cannot be followed", reason=why)
        self._warned = True


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Work in a thread that the process does not wait for at its end, unlike the threads of the loop."""
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
    """End tasks and log those that failed. Each has `within` seconds to clean up."""
    for task in tasks:
        await ended(task, within)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("reading the tenant's events failed")


@asynccontextmanager
async def following(
    memory: Remembers, lease: Lease, origin: str, credentials: Credentials, fresh_for: float
) -> AsyncIterator[Following]:
    """Follow the tenant's events while the context lasts."""
    followed = Following(memory, lease, fresh_for)
    async with open_stream_client(followed.standing.opened) as http:
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
