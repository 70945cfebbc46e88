# SPDX-License-Identifier: MIT
"""The lease to read the tenant's events: one replica, by compare-and-set on one key of a NATS Key-Value bucket.

No clocks are compared: a replica that sees the same revision for `TAKEN_OVER_AFTER` takes over the lease. The holder
writes every `RENEWED_EVERY`, with the offset up to which everything was sent. If it cannot write in time, it loses it.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from typing import TYPE_CHECKING, Final

import nats.errors
import nats.js.errors
from nats.js.api import KeyValueConfig, StorageType

from app.domain.codes import StaleRevision
from providers.auth0.events.offsets import MAX_OFFSET, usable_offset
from providers.jetstream import ANOTHER_CONFIGURATION, NO_STREAM, compare_and_set

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

BUCKET: Final = "auth0-events"
RENEWED_EVERY: Final = 2.0
HELD_FOR: Final = 6.0
"""Seconds for which the lease is held after the start of the last successful write."""

TAKEN_OVER_AFTER: Final = 9.0
"""Seconds without a write after which another replica takes over. More than `HELD_FOR`, so that two never read."""

GONE_AFTER: Final = 60.0
"""Seconds without an answer of JetStream after which there is none, if nobody is there to answer."""

_CALL: Final = 2.0
_KEY: Final = "reader"
_SUBJECT: Final = f"$KV.{BUCKET}.{_KEY}"
_STREAM: Final = f"KV_{BUCKET}"
_NOT_THERE: Final = (None, 10039, 10076)
"""Codes without JetStream: no responder, not enabled for the account, not enabled at all."""


class NoJetStream(Exception):
    """No JetStream for this service: each replica reads for itself."""


class LeaseUnavailable(Exception):
    """The holder of the lease is unknown at the moment."""


class BucketRefused(LeaseUnavailable):
    """The server does not create the bucket, and a retry does not help until an operator acts."""


class Lease:
    """The right of this process to read."""

    def __init__(self, client: Client, replicas: int = 1) -> None:
        """Take the connection to NATS, which may not be up yet, and the number of replicas of the bucket."""
        self._client = client
        self._replicas = replicas
        self._me = secrets.token_hex(8)
        self._revision = 0
        self._seen = (-1, 0.0)
        self._until = 0.0
        self._answered = -math.inf
        self.offset = ""
        """The offset up to which the last holder of the lease has sent everything."""

    @property
    def held(self) -> bool:
        """Whether this process can read."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Take the lease if it is free. Raises NoJetStream, LeaseUnavailable."""
        try:
            holder, revision = await self._read()
        except nats.js.errors.NotFoundError as error:
            if error.err_code == NO_STREAM:
                await self._create()
            holder, revision = "", 0
        now = asyncio.get_running_loop().time()
        if self._seen[0] != revision:
            self._seen = (revision, now)
        # Its own is one whose writing was not confirmed, or was left for a moment: nobody else can read meanwhile.
        if holder not in {"", self._me} and now < self._seen[1] + TAKEN_OVER_AFTER:
            return False
        self._revision = revision
        return await self.renew(self.offset)

    async def renew(self, offset: str, *, release: bool = False) -> bool:
        """Write that the lease is held or released. Return whether it was ours. Raises LeaseUnavailable."""
        began = asyncio.get_running_loop().time()
        value = json.dumps({"holder": "" if release else self._me, "offset": offset}).encode()
        try:
            self._revision = await compare_and_set(self._jetstream(), _SUBJECT, value, self._revision)
        except StaleRevision:
            self._until = 0.0
            return False
        except nats.js.errors.APIError as error:
            raise LeaseUnavailable(str(error)) from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise LeaseUnavailable(repr(error)) from error
        self._until = 0.0 if release else began + HELD_FOR
        self.offset = offset
        return True

    @property
    def _answered_lately(self) -> bool:
        """Whether there is JetStream, though nobody answers: its server, or the way to it, is away for a moment."""
        return asyncio.get_running_loop().time() < self._answered + GONE_AFTER

    def _jetstream(self) -> JetStreamContext:
        if not self._client.is_connected:
            raise LeaseUnavailable("no connection")
        return self._client.jetstream(timeout=_CALL)

    async def _read(self) -> tuple[str, int]:
        try:
            message = await self._jetstream().get_msg(_STREAM, subject=_SUBJECT)
            self._answered = asyncio.get_running_loop().time()
        except nats.js.errors.NotFoundError:
            self._answered = asyncio.get_running_loop().time()
            raise
        except nats.js.errors.APIError as error:
            if error.err_code not in _NOT_THERE or (error.err_code is None and self._answered_lately):
                raise LeaseUnavailable(str(error)) from error
            raise NoJetStream from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise LeaseUnavailable(repr(error)) from error
        try:
            content = json.loads((message.data or b"")[: 2 * MAX_OFFSET])
            holder, offset = str(content["holder"])[:64], usable_offset(content["offset"])
        except (ValueError, KeyError, TypeError, RecursionError):  # written by somebody else
            holder, offset = "?", ""
        self.offset = offset
        return holder, message.seq or 0

    async def _create(self) -> None:
        config = KeyValueConfig(bucket=BUCKET, history=1, storage=StorageType.FILE, replicas=self._replicas)
        try:
            await self._jetstream().create_key_value(config)
        except nats.js.errors.APIError as error:
            if error.err_code != ANOTHER_CONFIGURATION:
                raise BucketRefused(f"the bucket {BUCKET} cannot be made: {error.description}") from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise LeaseUnavailable(repr(error)) from error
