# SPDX-License-Identifier: MIT
"""Forgetting what has changed, here and in every other replica.

A message says what to forget by keyed hashes, with a proof that whoever sent it has the key. Any other message can be
that of a replica with another key, or anybody's: after it everything is asked for again, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain.around import around
from app.domain.tasks import ended
from providers.remembering.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from app.domain.reads import Broadcast, ReadNotes
    from providers.remembering.memory import Memory

T = TypeVar("T")

FORGET: Final = b"f"
FORGET_FRESH: Final = b"n"
FORGET_ALL: Final = b"a"
WITHOUT_KEY: Final = b"forget all"
"""What is told by a replica that has no key in common with others."""

_MOST_OWED: Final = 4096
_noted: ContextVar[dict[bytes, None]] = ContextVar("noted")


def _nothing() -> None:
    """Do nothing."""


class Forgetting:
    """Forgets, and tells others to; `app.domain.reads.Changes` for providers."""

    def __init__(self, memory: Memory, broadcast: Broadcast, notes: ReadNotes, clock: Callable[[], float]) -> None:
        """Take what is remembered, how others are told, who counts, and the clock of what is remembered (seconds)."""
        self._memory = memory
        self._broadcast = broadcast
        self._notes = notes
        self._clock = clock
        self._names = Names()
        self._secret: Callable[[], str] = str
        self._changed: Callable[[], None] = _nothing
        self._owed: dict[bytes, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard: dict[bytes, Callable[[list[bytes]], None]] = {
            FORGET: self._forget,
            FORGET_FRESH: lambda _: memory.forget_fresh(clock()),
            FORGET_ALL: lambda _: memory.forget_all(clock()),
        }
        broadcast.listen(self._hear, self._deaf, self._back)

    def share(self, secret: Callable[[], str], changed: Callable[[], None]) -> None:
        """Take what gives a secret that all replicas have, empty while it is not had, and who else hears of changes."""
        self._secret, self._changed = secret, changed

    @property
    def names(self) -> Names:
        """What hashes names; once there is a secret that all replicas have, with another key: none fits any more."""
        if not self._names.shared and (secret := self._secret()):
            self._names = Names(secret)
            self._memory.clear()
        return self._names

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users here, at once; others are told before the capability at work returns, see `telling`."""
        named = self._hashes(user_ids, addresses)
        self._forget(named)
        noted = _noted.get(None)
        if noted is None:
            self.soon(named)
        else:
            noted.update(dict.fromkeys(named))

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users here, at once, and return when NATS has the message for all other replicas."""
        named = self._hashes(user_ids, addresses)
        self._forget(named)
        await self.tell(FORGET, named)

    async def forget_fresh(self) -> None:
        """Let nothing that was read until now stand in for a call, here and in all other replicas."""
        self._memory.forget_fresh(self._clock())
        await self.tell(FORGET_FRESH)

    async def tell(self, kind: bytes, named: Iterable[bytes] = ()) -> None:
        """Tell every replica, this one included, something that `hear` takes up; what cannot be sent is owed."""
        named = list(named)
        names = self.names
        messages = names.messages(kind, named) if names.shared else iter((WITHOUT_KEY,))
        for message in messages:
            if not await self._broadcast.tell(message) and kind in {FORGET, FORGET_FRESH, FORGET_ALL}:
                self._owed.update(dict.fromkeys(named[:_MOST_OWED]))
                return

    def hear(self, kind: bytes, heard: Callable[[list[bytes]], None]) -> None:
        """Have `heard` called for every message of that kind, one byte, from a replica that has the key."""
        self._heard[kind] = heard

    def telling(self, capability: T) -> T:
        """Return `capability` with all changes that its methods note told to others before they return or raise."""
        return around(capability, self._telling)

    def soon(self, named: Iterable[bytes]) -> None:
        """Tell others to forget, when there is nobody who waits for it."""
        self._begin(self.tell(FORGET, list(named)))

    async def close(self) -> None:
        """End what is being told."""
        await asyncio.gather(*map(ended, self._tasks))

    def _telling(self, method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
            noted: dict[bytes, None] = {}
            before = _noted.set(noted)
            try:
                return await method(*args, **kwargs)
            finally:
                _noted.reset(before)
                if noted:
                    await self.tell(FORGET, noted)

        return call

    def _hashes(self, user_ids: Iterable[str], addresses: Iterable[str]) -> list[bytes]:
        names = self.names
        return [*map(names.user, filter(None, user_ids)), *map(names.address, filter(None, addresses))]

    def _forget(self, named: list[bytes]) -> None:
        self._memory.forget(named, self._clock())
        self._changed()

    def _hear(self, message: bytes) -> None:
        self._notes.forget_received()
        understood = self.names.understood(message)
        if understood is None:
            self._memory.forget_fresh(self._clock())
            self._changed()
        elif understood[0] in self._heard:
            self._heard[understood[0]](understood[1])

    def _deaf(self) -> None:
        self._memory.forget_fresh(self._clock())

    def _back(self) -> None:
        self._memory.forget_fresh(self._clock())
        self._changed()
        owed, self._owed = self._owed, {}
        if owed:
            everything = len(owed) >= _MOST_OWED
            self._begin(self.tell(FORGET_ALL if everything else FORGET, () if everything else owed))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="forgetting")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
