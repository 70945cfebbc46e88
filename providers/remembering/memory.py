# SPDX-License-Identifier: MIT
"""The memory: users as they were found, by each key that found them, within a limit on bytes.

A key is a byte for the kind of name and the hash of the name. A user is remembered only under the key of the look-up
that found them: data in a user's record never makes a key. Times are seconds on one clock.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ADDRESS: Final = b"a"
SUBJECT: Final = b"s"
USERNAME: Final = b"u"
TOLD: Final = (ADDRESS, SUBJECT)
"""Kinds of keys whose names are sent to other replicas."""

SETTLING: Final = 5.0
"""Seconds after a change in which a read may still return the old state: a provider's index lags behind."""

ABSENT_FOR: Final = 5.0
"""Seconds for which it is remembered that there is no such user."""

_USER_BYTES: Final = 700
"""Bytes of a user beside the record: measured, rounded up."""

_KEY_BYTES: Final = 330
"""Bytes of a key: measured, rounded up."""

_MOST_CHANGES: Final = 16_384
"""Changes whose time is kept. With more, every answer read before the oldest one counts as out of date."""

_MOST_AT_ONCE: Final = 64
"""Absent names that are removed at once because of their age."""

_LARGEST: Final = 8
"""One user may take this fraction of the memory (1/n)."""


@dataclass(slots=True)
class _Known:
    record: bytes
    began: float
    settled: float
    """Answers read before this time may be older than a change. They replace only errors."""

    keys: dict[bytes, float] = field(default_factory=dict)
    """Key → start of the read that found the user under it."""

    @property
    def size(self) -> int:
        return _USER_BYTES + len(self.record) + _KEY_BYTES * len(self.keys)


@dataclass(frozen=True, slots=True)
class AtHand:
    """A remembered user: owner, record, start of the read that found it, whether it may replace a call."""

    owner: bytes
    record: bytes
    began: float
    settled: bool


class Memory:
    """Remembers users. Every method takes bounded time, except for removing what was added before."""

    def __init__(self, limit: int, longest_read: float) -> None:
        """Take the maximum size in bytes, and the maximum time of a read in seconds."""
        self._limit = limit
        self._kept = max(longest_read, SETTLING)
        self._users: OrderedDict[bytes, _Known] = OrderedDict()
        self._owners: dict[bytes, bytes] = {}
        # A plain dict takes longer and longer to find its first entry, when one after the other is removed there.
        self._absent: OrderedDict[bytes, float] = OrderedDict()
        self._changes: OrderedDict[bytes, float] = OrderedDict()
        self._last_change = self._all_changed = self._unheard = -math.inf
        self._size = 0

    @property
    def entries(self) -> int:
        """The number of remembered answers."""
        return len(self._owners) + len(self._absent)

    @property
    def size(self) -> int:
        """Their size in bytes."""
        return self._size + _KEY_BYTES * len(self._absent)

    def find(self, key: bytes) -> AtHand | None:
        """Return the user that the key found, None if that is not remembered."""
        owner = self._owners.get(key)
        if owner is None:
            return None
        known = self._users[owner]
        self._users.move_to_end(owner)
        began = known.keys[key]
        return AtHand(owner, known.record, began, began > known.settled and began > self._unheard)

    def was_absent(self, key: bytes, since: float) -> bool:
        """Whether the key found no user in a read that began at `since` or later."""
        return self._absent.get(key, -math.inf) >= since

    def remember(self, key: bytes, owner: bytes, record: bytes, began: float) -> None:
        """Remember that the key found a user in a read that began at `began`, unless a change was noted since then."""
        self._absent.pop(key, None)
        changed = max(self._changed(owner), self._changed(key[1:]), self._all_changed)
        if began <= changed:
            return
        if _LARGEST * (_USER_BYTES + _KEY_BYTES + len(record)) > self._limit:
            self._drop(owner)
            self._forget_key(key)
            return
        known = self._users.get(owner)
        if known is not None and _LARGEST * (known.size + _KEY_BYTES) > self._limit:  # under ever new names
            self._drop(owner)
            known = None
        if known is None:
            known = self._users[owner] = _Known(record, began, -math.inf)
            self._size += known.size
        elif known.record != record:
            self._changed_between(known, record, began)
        known.began = max(known.began, began)
        known.settled = max(known.settled, changed + SETTLING)
        self._point(key, owner, known, began)
        self._make_room()

    def remember_nobody(self, key: bytes, began: float) -> list[bytes]:
        """Remember for a while that the key found no user. Forget and return the users it found before."""
        owners = {self._owners.get(key, b""), key[1:] if key[:1] == SUBJECT else b""}
        forgotten = [owner for owner in owners if owner in self._users]
        for owner in forgotten:
            self._drop(owner)
        if began <= max(self._last_change + SETTLING, self._unheard):
            return forgotten
        for _ in range(_MOST_AT_ONCE):  # what is left is too old to be used, and goes with the next ones
            if not self._absent or next(iter(self._absent.values())) >= began - ABSENT_FOR:
                break
            self._absent.popitem(last=False)
        self._absent.pop(key, None)
        self._absent[key] = began
        self._make_room()
        return forgotten

    def forget(self, names: Iterable[bytes], now: float) -> None:
        """Forget the users with these hashes, and the users they found. Reads that began earlier are not remembered."""
        self._absent.clear()
        self._last_change = now
        for name in names:
            self._drop(name)
            for kind in TOLD:
                self._forget_key(kind + name)
            self._changes.pop(name, None)
            self._changes[name] = now
        while self._changes:
            oldest = next(iter(self._changes))
            if len(self._changes) <= _MOST_CHANGES and self._changes[oldest] >= now - self._kept:
                break
            self._all_changed = max(self._all_changed, self._changes.pop(oldest))

    def forget_fresh(self, now: float) -> None:
        """Let no answer read until now replace a call."""
        self._absent.clear()
        self._unheard = now

    def forget_all(self, now: float) -> None:
        """Forget everything, as if all users had changed."""
        self.clear()
        self._changes.clear()
        self._all_changed = self._last_change = now

    def clear(self) -> None:
        """Drop all remembered answers."""
        self._absent.clear()
        self._users.clear()
        self._owners.clear()
        self._size = 0

    def _changed_between(self, known: _Known, record: bytes, began: float) -> None:
        """Keep the later of two records that differ: what was found before it stands in for errors only."""
        known.settled = max(known.settled, min(known.began, began))
        if began >= known.began:
            self._size += len(record) - len(known.record)
            known.record = record

    def _changed(self, name: bytes) -> float:
        return self._changes.get(name, -math.inf)

    def _point(self, key: bytes, owner: bytes, known: _Known, began: float) -> None:
        before = self._owners.get(key)
        if before is not None and before != owner:
            self._unpoint(key, before)
        if key not in known.keys:
            self._size += _KEY_BYTES
        known.keys[key] = max(began, known.keys.get(key, -math.inf))
        self._owners[key] = owner
        self._users.move_to_end(owner)

    def _unpoint(self, key: bytes, owner: bytes) -> None:
        known = self._users[owner]
        del known.keys[key], self._owners[key]
        self._size -= _KEY_BYTES
        if not known.keys:
            self._drop(owner)

    def _forget_key(self, key: bytes) -> None:
        """Forget the user that the key found, under all keys."""
        owner = self._owners.get(key)
        if owner is not None:
            self._drop(owner)

    def _drop(self, owner: bytes) -> None:
        known = self._users.pop(owner, None)
        if known is not None:
            self._size -= known.size
            for key in known.keys:
                del self._owners[key]

    def _make_room(self) -> None:
        while self.size > self._limit:
            if self._absent:
                self._absent.popitem(last=False)
            else:
                self._drop(next(iter(self._users)))
