# SPDX-License-Identifier: MIT
"""The restart of Authelia that is owed. Every replica sees it, even if one is killed.

Before the users file is written a note is left under the hash of what will stand there; once it stands there the
restart is owed, whatever is written next. If the note is a minute old, any replica that finds the file in that state
does this instead of the writer. A restart that is owed is made by the replica that first says so (by compare-and-set).
It notes the moment that the restart will carry, so that a DaemonSet that carries it already is not restarted again.
Between two restarts, of whoever, there is a least interval; changes in between are gathered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from app.domain.codes import StaleRevision
from providers.authelia.storage import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.authelia.cluster.pace import Pace
    from providers.authelia.storage.kv import Open

_OWED: Final = "sync/restart"
_NOT_BEGUN: Final = "owed"


@dataclass(frozen=True, slots=True)
class Owed:
    """A restart that is owed."""

    at: str
    """The moment that it carries, once somebody has begun to make it; empty before."""

    noted: float
    """When that was noted, by the server's clock; Unix seconds."""

    revision: int


class Restarts:
    """The notes, in a bucket."""

    def __init__(self, bucket: Open, now: Callable[[], float], pace: Pace) -> None:
        """Take the bucket, the clock (Unix seconds), and how long a restart is left to who began it, or put off."""
        self._bucket = bucket
        self._now = now
        self._pace = pace
        self._begun = 0
        """The revision at which this replica began to make one, and may go on after a failure."""

    async def note(self, text: str) -> int:
        """Note that a restart is owed as soon as the file says `text`. Return what `withdraw` takes.

        A note that is there already is another replica's, which may have written that very text: it is not ours to
        take back, but is written again, so that the other one does not take it back either.
        """
        return await self._put(_key(text), records.timestamp(self._now()))

    async def withdraw(self, text: str, noted: int) -> None:
        """Take back the note that was made: somebody else was faster. What was written there since stays."""
        if noted:
            await self._delete(_key(text), noted)

    async def owe(self, text: str) -> None:
        """Let a restart be owed: the file says `text` now."""
        await self._put(_OWED, _NOT_BEGUN)
        bucket = await self._bucket()
        await self._delete(_key(text), (await bucket.get(_key(text))).revision)

    async def recover(self, text: str) -> float | None:
        """Record the restart that is owed for the file `text` if its writer has not done so within a minute.

        Return the seconds that the writer has left, None when there is no note.
        """
        entry = await (await self._bucket()).get(_key(text))
        if entry.value is None or entry.written is None:
            return None
        if (left := self._pace.restart - self._age(entry.written.timestamp())) > 0:
            return left
        await self.owe(text)
        return None

    async def owed(self) -> Owed | None:
        """Return the restart that is owed."""
        entry = await (await self._bucket()).get(_OWED)
        if entry.value is None:
            return None
        value = entry.value.decode(errors="replace")
        noted = entry.written.timestamp() if entry.written else 0.0
        return Owed("" if value == _NOT_BEGUN else value, noted, entry.revision)

    def wait(self, owed: Owed, restarted_at: str) -> float:
        """Return the seconds until it may be made; the DaemonSet was last restarted at that moment."""
        waits = [0.0]
        if (since := self._since(restarted_at)) < self._pace.between:
            waits.append(self._pace.between - since)
        if owed.at and owed.revision != self._begun:
            waits.append(self._pace.restart - self._age(owed.noted))
        return max(waits)

    async def begin(self, owed: Owed) -> Owed | None:
        """Take it upon oneself: return it with the moment that it shall carry; None when somebody else has."""
        at = records.timestamp(self._now())
        try:
            self._begun = await (await self._bucket()).put(_OWED, at.encode(), owed.revision)
        except StaleRevision:
            return None
        return Owed(at, self._now(), self._begun)

    async def made(self, owed: Owed) -> None:
        """Note that it is made: nothing is owed any more, unless the file was written again meanwhile."""
        await self._delete(_OWED, owed.revision)

    def _age(self, moment: float) -> float:
        """Return the seconds between then and now; a clock that is ahead of ours puts nothing off for long."""
        return abs(self._now() - moment)

    def _since(self, moment: str) -> float:
        """Return the age of a moment that is written out; what is none was long ago."""
        try:
            then = datetime.fromisoformat(moment)
        except ValueError:
            return self._pace.between
        # A time without an offset is UTC (RFC 3339 has none).
        return self._age((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp())

    async def _put(self, key: str, value: str) -> int:
        """Return the revision of what was made anew, 0 where something stood."""
        bucket = await self._bucket()
        while True:
            entry = await bucket.get(key)
            try:
                revision = await bucket.put(key, value.encode(), entry.revision)
            except StaleRevision:
                continue
            return revision if entry.value is None else 0

    async def _delete(self, key: str, revision: int) -> None:
        try:
            await (await self._bucket()).delete(key, revision)
        except StaleRevision:
            return


def _key(text: str) -> str:
    return f"{_OWED}/{hashlib.sha256(text.encode()).hexdigest()}"
