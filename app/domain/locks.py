# SPDX-License-Identifier: MIT
"""Locks by key. A lock is kept only while a task holds it or waits for it."""

from __future__ import annotations

from asyncio import Lock
from weakref import WeakValueDictionary


class KeyedLocks:
    """One lock for each key. Unused locks are dropped. They work only within one process."""

    def __init__(self) -> None:
        """Begin without locks."""
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def of(self, key: str) -> Lock:
        """Return the lock of that key. Use it at once: `async with locks.of(key)`."""
        return self._locks.setdefault(key, Lock())
