# SPDX-License-Identifier: MIT
"""A bucket in memory, between replicas: every call lets others go first, and a write says when it came too late.

And what a real one holds.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nats.js.errors import KeyNotFoundError

from app.domain.codes import StaleRevision
from providers.authelia.storage.kv import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.js import JetStreamContext


async def held(js: JetStreamContext, bucket: str) -> dict[str, bytes]:
    """Return the values of a bucket by key, without those that were removed.

    nats-py's own list of keys can end before the first of them: it waits for none where the server says that it has
    sent all, and asks before it counts what has come.
    """
    prefix, values = f"$KV.{bucket}.", {}
    kv = await js.key_value(bucket)
    info = await js.stream_info(f"KV_{bucket}", subjects_filter=f"{prefix}>")
    for subject in info.state.subjects or {}:
        try:
            values[subject.removeprefix(prefix)] = (await kv.get(subject.removeprefix(prefix))).value
        except KeyNotFoundError:
            continue
    return values


class MemoryBucket:
    """What `providers.authelia.storage.kv.Bucket` says, in an order that `seed` rules; `now` is the server's clock."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        self._entries: dict[str, Entry] = {}
        self._chance = random.Random(seed)
        self._now = now
        self._revision = 0

    async def opened(self) -> MemoryBucket:
        return self

    async def get(self, key: str) -> Entry:
        await self._let_others()
        found = self._entries.get(key, Entry(None, 0))
        await self._let_others()
        return found

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        return await self._set(key, value, revision, before)

    async def add(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        return await self._set(key, value, revision, before)

    async def delete(self, key: str, revision: int, before: str = "") -> None:
        await self._set(key, None, revision, before)

    async def keys(self) -> list[str]:
        await self._let_others()
        return list(self._entries)

    async def has_room(self) -> bool:
        return True

    async def _set(self, key: str, value: bytes | None, revision: int, before: str) -> int:
        await self._let_others()
        if self._entries.get(key, Entry(None, 0)).revision != revision:
            raise StaleRevision
        self._revision = made = self._revision + 1
        self._entries[key] = Entry(value, made, datetime.fromtimestamp(self._now(), UTC), before)
        await self._let_others()
        return made

    async def _let_others(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 1, 2, 5, 20))):
            await asyncio.sleep(0)


class InterruptedBucket(MemoryBucket):
    """A bucket in which something else happens once, right before the key `at` is written."""

    at = ""
    first: Callable[[], Awaitable[None]]

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        if key == self.at:
            self.at = ""
            await self.first()
        return await super().put(key, value, revision, before)
