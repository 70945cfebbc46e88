# SPDX-License-Identifier: MIT
"""A bucket that replaces an older one: values that an older version left there are still found.

For as long as that bucket keeps it: a day after an upgrade nothing of the kind is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.authelia.storage.kv import Entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from providers.authelia.storage.kv import Bucket


class MovedBucket:
    """A bucket beside its predecessor, which is read and never written.

    What the predecessor has appears as never changed here: the first change is made here, from nothing.
    """

    def __init__(self, bucket: Bucket, before: Bucket) -> None:
        """Take the bucket, and the one that it comes after."""
        self._bucket = bucket
        self._before = before

    async def get(self, key: str) -> Entry:
        """Return what stands under the key; where nothing ever did, what stands in the predecessor."""
        entry = await self._bucket.get(key)
        if entry.revision:
            return entry
        old = await self._before.get(key)
        return Entry(old.value, entry.revision, old.written)

    async def put(self, key: str, value: bytes, revision: int) -> int:
        """Compare and set. Raises StaleRevision."""
        return await self._bucket.put(key, value, revision)

    async def add(self, key: str, value: bytes, revision: int) -> int:
        """Put what is new. Raises StaleRevision, StorageFull."""
        return await self._bucket.add(key, value, revision)

    async def delete(self, key: str, revision: int) -> None:
        """Compare and remove; what stands in the predecessor is not seen any more. Raises StaleRevision."""
        await self._bucket.delete(key, revision)

    async def keys(self) -> list[str]:
        """Return every key, those of the predecessor included."""
        return sorted({*await self._bucket.keys(), *await self._before.keys()})

    async def has_room(self) -> bool:
        """Whether something new may come in."""
        return await self._bucket.has_room()


def moved(
    bucket: Callable[[], Awaitable[Bucket]], before: Callable[[], Awaitable[Bucket]]
) -> Callable[[], Awaitable[Bucket]]:
    """Return what opens both."""

    async def opened() -> Bucket:
        return MovedBucket(await bucket(), await before())

    return opened
