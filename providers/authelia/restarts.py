# SPDX-License-Identifier: MIT
"""Notes of restarts that are due, so that one change of the users file means one restart, whoever is killed.

A note is left before the file is written, under the hash of what will stand there, and names the moment that the
restart will carry. Whoever finds the file in that state a minute later finishes what was begun; a DaemonSet that
carries the moment already is not restarted again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from app.domain.codes import StaleRevision
from providers.authelia import records

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from providers.authelia.kv import Bucket


class Restarts:
    """The notes, in the ledger."""

    def __init__(self, ledger: Callable[[], Awaitable[Bucket]], now: Callable[[], float], patience: float) -> None:
        """Take the bucket, the clock (Unix seconds), and for how long a restart is left to whoever began it."""
        self._ledger = ledger
        self._now = now
        self._patience = patience

    async def note(self, text: str) -> str:
        """Note that Authelia must be restarted once the file says `text`; return the moment that it shall carry."""
        at = records.timestamp(self._now())
        bucket = await self._ledger()
        while True:
            entry = await bucket.get(_key(text))
            try:
                await bucket.put(_key(text), at.encode(), entry.revision)
            except StaleRevision:
                continue
            return at

    async def overdue(self, text: str) -> str:
        """Return the moment of the restart that somebody was to make for this very file; empty when nobody was.

        From then on it is the caller's for that long.
        """
        bucket = await self._ledger()
        entry = await bucket.get(_key(text))
        if entry.value is None or entry.written is None or self._now() - entry.written.timestamp() < self._patience:
            return ""
        try:
            await bucket.put(_key(text), entry.value, entry.revision)
        except StaleRevision:
            return ""
        return entry.value.decode()

    async def forget(self, text: str) -> None:
        """Remove the note: the restart is made."""
        bucket = await self._ledger()
        entry = await bucket.get(_key(text))
        if entry.value is not None:
            try:
                await bucket.delete(_key(text), entry.revision)
            except StaleRevision:
                return


def _key(text: str) -> str:
    return f"sync/restart/{hashlib.sha256(text.encode()).hexdigest()}"
