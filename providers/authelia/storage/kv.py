# SPDX-License-Identifier: MIT
"""Buckets of NATS Key-Value, as the provider needs them: values read, and changed by compare-and-set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    Open = Callable[[], Awaitable["Bucket"]]
    """Gives an opened bucket. Raises ProviderUnavailable."""

MAX_KEY: Final = 512
"""Characters of a key. The server ends a connection that writes to a subject of more than 4,096."""

_LEGAL: Final = re.compile(r"[-/_=a-zA-Z0-9]++(?:\.[-/_=a-zA-Z0-9]++)*+")
_RESERVED: Final = "_kv"


class StorageFull(ProviderUnavailable):
    """The bucket takes no more."""


class Unreadable(ProviderUnavailable):
    """Something stands there that cannot be read: it is left alone, and stands for nobody's absence."""


def is_legal_key(key: str) -> bool:
    """Whether `key` can be one of a bucket (NATS ADR-8) and is not too long."""
    return len(key) <= MAX_KEY and _LEGAL.fullmatch(key) is not None and not key.startswith(_RESERVED)


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands under a key: None when nothing does. `revision` is what a change is compared with.

    `before` is written with it; see `LookupKeys`.
    """

    value: bytes | None
    revision: int
    written: datetime | None = None
    before: str = ""


class Bucket(Protocol):
    """A bucket. Every method raises ProviderUnavailable; keys are legal ones."""

    async def get(self, key: str) -> Entry:
        """Return what stands under the key."""
        ...

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        """Replace what stood there at `revision` (0: nothing ever), return the new one. Raises StaleRevision."""
        ...

    async def add(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        """Put what is new, if it leaves the room that is kept for changes. Raises StaleRevision, StorageFull."""
        ...

    async def delete(self, key: str, revision: int, before: str = "") -> None:
        """Remove what stood there at `revision`. Raises StaleRevision."""
        ...

    async def keys(self) -> list[str]:
        """Return every key, those of removed values included."""
        ...

    async def has_room(self) -> bool:
        """Whether something new may come in at the moment."""
        ...


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """How a bucket is made that does not exist; one that exists stays as it is. `ttl` in seconds."""

    name: str
    history: int = 1
    ttl: float | None = None
    replicas: int = 1
