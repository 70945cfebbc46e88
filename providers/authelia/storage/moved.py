# SPDX-License-Identifier: MIT
"""A bucket that replaces an older one: values that an older version left there are still found.

For as long as that bucket keeps it: a day after an upgrade nothing of the kind is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from providers.authelia.storage.kv import Entry

if TYPE_CHECKING:
    from providers.authelia.storage.kv import Bucket, Open


class MovedBucket:
    """A bucket beside its predecessor, which is read and never written.

    What the predecessor has appears as never changed here: the first change is made here, from nothing. What is removed
    here is not seen there any more.
    """

    def __init__(self, bucket: Bucket, before: Bucket) -> None:
        """Take the bucket, and the one that it comes after."""
        self._bucket = bucket
        self._before = before
        self.put, self.add, self.delete, self.has_room = bucket.put, bucket.add, bucket.delete, bucket.has_room

    async def get(self, key: str) -> Entry:
        """Return what stands under the key; where nothing ever did, what stands in the predecessor."""
        entry = await self._bucket.get(key)
        if entry.revision:
            return entry
        old = await self._before.get(key)
        return Entry(old.value, entry.revision, old.written)

    async def keys(self) -> list[str]:
        """Return every key, those of the predecessor included."""
        return sorted({*await self._bucket.keys(), *await self._before.keys()})


def moved(bucket: Open, before: Open) -> Open:
    """Return what opens both."""

    async def opened() -> Bucket:
        return MovedBucket(await bucket(), await before())

    return opened
