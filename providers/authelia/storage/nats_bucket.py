# SPDX-License-Identifier: MIT
"""The storage border: NATS Key-Value by compare-and-set, through the service's own connection.

Reads ask the stream's leader: a direct get may be answered by a replica that does not know of the caller's own last
write. Everything that nats-py raises ends here.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import nats.errors
import nats.js.errors
from nats.js.api import KeyValueConfig, StorageType

from app.domain.codes import StaleRevision
from app.domain.deadline import LEFT_FOR_THE_REPLY, current_deadline
from app.domain.errors import ProviderUnavailable
from providers.authelia.storage.kv import Entry, StorageFull
from providers.jetstream import ANOTHER_CONFIGURATION, NO_STREAM, compare_and_set

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import RawStreamMsg, StreamInfo

    from app.domain.ports import Upstream
    from providers.authelia.storage.kv import Bucket, BucketOptions

_OPERATION: Final = "KV-Operation"
_BEFORE: Final = "Auth-Service-Before"
_FULL: Final = (10002, 10023, 10028, 10047, 10077, 10122)
"""Codes of JetStream: limits of the account, of the server, of memory, of storage; maximum bytes; those of a stream."""

_SERVER_ERRORS: Final = 500
_READ_TIME: Final = 1.0
"""Seconds for one attempt at a read. A leader that dies answers nothing, and an attempt that was begun before the next
one is elected is lost: so they are short, and another follows soon."""

_WRITE_TIME: Final = 2.0
"""Seconds for a write, and for making a bucket."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.25
_RESERVE: Final = 4096
_RESERVED_PART: Final = 10
"""What is kept free of a bucket that has a bound: so many bytes, and at least that part of it."""

_FOREIGN: Final = (nats.errors.Error, OSError, TimeoutError)


Read = TypeVar("Read")


class Buckets:
    """The service's connection to NATS, as far as buckets are concerned."""

    def __init__(self, client: Client, timeout: float, upstream: Upstream) -> None:
        """Take the connection, which may not stand yet, the bound on a call in seconds, and what notes calls."""
        self.client = client
        self.upstream = upstream
        self._timeout = timeout
        self.errors = 0
        self.conflicts = 0

    def jetstream(self, seconds: float) -> JetStreamContext:
        """Return the JetStream context for one attempt of at most so long.

        Raises ProviderUnavailable when there is no connection.
        """
        if not self.client.is_connected:
            self.errors += 1
            raise ProviderUnavailable
        return self.client.jetstream(timeout=min(seconds, self._timeout))

    async def ensure(self, options: BucketOptions) -> Bucket:
        """Return the bucket, made when it does not exist. Raises ProviderUnavailable."""
        config = KeyValueConfig(
            bucket=options.name,
            history=options.history,
            ttl=options.ttl,
            replicas=options.replicas,
            storage=StorageType.FILE,
        )
        try:
            try:
                await self.jetstream(_WRITE_TIME).key_value(options.name)
            except nats.js.errors.BucketNotFoundError:
                await self.jetstream(_WRITE_TIME).create_key_value(config)
        except nats.js.errors.APIError as error:
            # Another replica made it between the two calls, or it was made by hand, otherwise than here.
            if error.err_code != ANOTHER_CONFIGURATION:
                raise self.failed(error) from error
        except _FOREIGN as error:
            raise self.failed(error) from error
        return NatsBucket(self, options)

    @contextmanager
    def calling(self, operation: str) -> Iterator[None]:
        """Note a call; what the server refuses is an answer."""
        with self.upstream.attempt(operation) as attempt:
            try:
                yield
            except nats.js.errors.APIError as error:
                if (error.code or 0) < _SERVER_ERRORS:
                    attempt.outcome = "refused"
                raise

    def failed(self, error: Exception) -> ProviderUnavailable:
        """Return what a foreign exception means here."""
        self.errors += 1
        return StorageFull() if getattr(error, "err_code", None) in _FULL else ProviderUnavailable()


class NatsBucket:
    """A bucket of NATS Key-Value."""

    def __init__(self, buckets: Buckets, options: BucketOptions) -> None:
        """Take the connection and which bucket it is."""
        self._buckets = buckets
        self._options = options
        self._stream = f"KV_{options.name}"
        self._prefix = f"$KV.{options.name}."
        self._addition = asyncio.Lock()

    async def get(self, key: str) -> Entry:
        """Return what stands under the key; a short outage is waited for."""
        return await self._patiently("kv_get", lambda: self._get(key))

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        """Compare and set."""
        return await self._publish(key, value, revision, {_BEFORE: before} if before else {})

    async def add(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        """Compare and set when there is room, one at a time: of each replica one may overstep the bound."""
        async with self._addition:
            if not await self.has_room():
                raise StorageFull
            return await self.put(key, value, revision, before)

    async def delete(self, key: str, revision: int, before: str = "") -> None:
        """Compare and remove; a marker stays, as nats-py's own delete leaves one."""
        await self._publish(key, b"", revision, {_OPERATION: "DEL"} | ({_BEFORE: before} if before else {}))

    async def keys(self) -> list[str]:
        """Return every key; a short outage is waited for."""
        info = await self._patiently("kv_keys", lambda: self._info("kv_keys", f"{self._prefix}>"))
        return [subject.removeprefix(self._prefix) for subject in info.state.subjects or {}]

    async def has_room(self) -> bool:
        """Whether something new may come in; a short outage is waited for."""
        info = await self._patiently("kv_info", lambda: self._info("kv_info"))
        most = info.config.max_bytes or 0
        return most <= 0 or info.state.bytes <= most - max(_RESERVE, most // _RESERVED_PART)

    async def _info(self, operation: str, subjects: str | None = None) -> StreamInfo:
        try:
            jetstream = self._buckets.jetstream(_read_time())
            with self._buckets.calling(operation):
                return await jetstream.stream_info(self._stream, subjects_filter=subjects)
        except nats.js.errors.NotFoundError as error:
            raise await self._missing(error) from error
        except _FOREIGN as error:
            raise self._buckets.failed(error) from error

    async def _patiently(self, operation: str, read: Callable[[], Awaitable[Read]]) -> Read:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await read()
            except ProviderUnavailable:
                left = current_deadline().remaining()
                # Outside of a request somebody else tries again, and says in the meantime that it failed.
                if left == float("inf") or left < pause + LEFT_FOR_THE_REPLY:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._buckets.upstream.retried(operation)

    async def _get(self, key: str) -> Entry:
        try:
            jetstream = self._buckets.jetstream(_read_time())
            with self._buckets.calling("kv_get"):
                message: RawStreamMsg = await jetstream.get_msg(self._stream, subject=f"{self._prefix}{key}")
        except nats.js.errors.NotFoundError as error:
            if error.err_code == NO_STREAM:
                raise await self._missing(error) from error
            return Entry(None, 0)
        except _FOREIGN as error:
            raise self._buckets.failed(error) from error
        headers = message.headers or {}
        value = None if _OPERATION in headers else message.data or b""
        # Beyond ASCII nats-py gives an object of the library for mails.
        return Entry(value, message.seq or 0, message.time, str(headers.get(_BEFORE, "")))

    async def _publish(self, key: str, value: bytes, revision: int, headers: dict[str, str]) -> int:
        jetstream = self._buckets.jetstream(_WRITE_TIME)
        current_deadline().commit()
        try:
            with self._buckets.calling("kv_put"):
                return await compare_and_set(jetstream, f"{self._prefix}{key}", value, revision, headers)
        except StaleRevision:
            self._buckets.conflicts += 1
            raise
        except nats.js.errors.NoStreamResponseError as error:
            raise await self._missing(error) from error
        except _FOREIGN as error:
            raise self._buckets.failed(error) from error

    async def _missing(self, error: Exception) -> ProviderUnavailable:
        """Make a bucket again that somebody removed, for whoever asks next."""
        await self._buckets.ensure(self._options)
        return self._buckets.failed(error)


def _read_time() -> float:
    left = current_deadline().remaining()
    # Outside of a request nobody waits, and an attempt that fails is not followed by another one at once.
    return _WRITE_TIME if left == float("inf") else max(_FIRST_PAUSE, min(_READ_TIME, left - LEFT_FOR_THE_REPLY))
