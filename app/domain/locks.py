# SPDX-License-Identifier: MIT
"""Locks by key, kept only while somebody holds one or waits for it."""

from __future__ import annotations

from asyncio import Lock
from weakref import WeakValueDictionary


class KeyedLocks:
    """A lock a key; those that nobody uses are forgotten. They hold within one process."""

    def __init__(self) -> None:
        """Begin without any."""
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    def of(self, key: str) -> Lock:
        """Return the lock of that key, to be used at once: `async with locks.of(key)`."""
        return self._locks.setdefault(key, Lock())
