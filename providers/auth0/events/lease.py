# SPDX-License-Identifier: MIT
"""Who reads the tenant's events: one replica, by compare-and-set on one key of a bucket of NATS Key-Value.

No clock is compared: whoever sees the same revision for `TAKEN_OVER_AFTER` takes the lease over. Its holder writes
every `RENEWED_EVERY`, with the offset up to which all was told, and holds it no more when it could not write in time.
"""

from __future__ import annotations

import asyncio
import json
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
"""Seconds after the beginning of the last write that succeeded for which the lease is held."""

TAKEN_OVER_AFTER: Final = 9.0
"""Seconds without a write after which another replica takes over: more than `HELD_FOR`, so that two never read."""

_CALL: Final = 2.0
_KEY: Final = "reader"
_SUBJECT: Final = f"$KV.{BUCKET}.{_KEY}"
_STREAM: Final = f"KV_{BUCKET}"
_NOT_THERE: Final = (None, 10039, 10076)
"""Codes where there is no JetStream: nobody answers, not enabled for the account, not enabled at all."""


class NoJetStream(Exception):
    """There is no JetStream for this service: each replica reads for itself."""


class LeaseUnavailable(Exception):
    """It cannot be told who has the lease just now."""


class BucketRefused(LeaseUnavailable):
    """The server does not make the bucket, and will not the next time, unless something is done."""


class Lease:
    """The right to read, as far as this process has it."""

    def __init__(self, client: Client, replicas: int = 1) -> None:
        """Take the connection to NATS, which need not stand yet, and how many replicas the bucket is made with."""
        self._client = client
        self._replicas = replicas
        self._me = secrets.token_hex(8)
        self._revision = 0
        self._seen = (-1, 0.0)
        self._until = 0.0
        self.offset = ""
        """Up to where all was told, by whoever held the lease last."""

    @property
    def held(self) -> bool:
        """Whether this process may read."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Take the lease if nobody has it. Raises NoJetStream, LeaseUnavailable."""
        try:
            holder, revision = await self._read()
        except nats.js.errors.NotFoundError as error:
            if error.err_code == NO_STREAM:
                await self._create()
            holder, revision = "", 0
        now = asyncio.get_running_loop().time()
        if self._seen[0] != revision:
            self._seen = (revision, now)
        if holder and now < self._seen[1] + TAKEN_OVER_AFTER:
            return False
        self._revision = revision
        return await self.renew(self.offset)

    async def renew(self, offset: str, *, release: bool = False) -> bool:
        """Write that the lease is held, or is not any more; return whether it was ours. Raises LeaseUnavailable."""
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

    def _jetstream(self) -> JetStreamContext:
        if not self._client.is_connected:
            raise LeaseUnavailable("no connection")
        return self._client.jetstream(timeout=_CALL)

    async def _read(self) -> tuple[str, int]:
        try:
            message = await self._jetstream().get_msg(_STREAM, subject=_SUBJECT)
        except nats.js.errors.NotFoundError:
            raise
        except nats.js.errors.APIError as error:
            raise NoJetStream if error.err_code in _NOT_THERE else LeaseUnavailable(str(error)) from error
        except nats.errors.NoRespondersError as error:
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
