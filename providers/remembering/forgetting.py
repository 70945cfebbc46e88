# SPDX-License-Identifier: MIT
"""Forgets what has changed, here and in every other replica.

A message names what to forget by keyed hashes, with a proof that its sender has the key. Any other message may come
from a replica with another key, or from anybody. After such a message everything is asked for again, nothing more.

A message of another kind contains the time of sending and counts only once. If somebody records it and sends it again,
it has no effect.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain.around import around
from app.domain.tasks import ended
from providers.remembering.names import WIDTH, Names

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from app.domain.reads import Broadcast, ReadNotes
    from providers.remembering.memory import Memory

T = TypeVar("T")

FORGET: Final = b"f"
FORGET_FRESH: Final = b"n"
FORGET_ALL: Final = b"a"
WITHOUT_KEY: Final = b"forget all"
"""The message of a replica that shares no key with others."""

CLOCKS_DIFFER: Final = 5.0
"""Maximum difference of the clocks of two replicas, and maximum delay of a message (seconds)."""

_MOST_OWED: Final = 4096
_noted: ContextVar[dict[bytes, None]] = ContextVar("noted")


class Forgetting:
    """Forgets, and tells other replicas to forget. For providers it is `app.domain.reads.Changes`."""

    def __init__(self, memory: Memory, broadcast: Broadcast, notes: ReadNotes, clock: Callable[[], float]) -> None:
        """Take the memory, the broadcast, the counters, and the clock of the memory (seconds)."""
        self._memory = memory
        self._broadcast = broadcast
        self._notes = notes
        self._clock = clock
        self._names = Names()
        self._secret: Callable[[], str] = str
        self._secret_of_names = ""
        self._changed: Callable[[], None] = lambda: None
        self._owed: dict[bytes, dict[bytes, None]] = {}
        self._last_told = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._heard: dict[bytes, Callable[[], None]] = {}
        broadcast.listen(self._hear, self._distrust, self._back)

    def share(self, secret: Callable[[], str], changed: Callable[[], None]) -> None:
        """Take a function for the secret of all replicas, empty while there is none, and one to call on changes."""
        self._secret, self._changed = secret, changed

    @property
    def names(self) -> Names:
        """The hashes of names. When the replicas' secret becomes known, or another one, older hashes do not match."""
        self._follow()
        return self._names

    def note(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users here at once. Others are told before the current capability returns: see `telling`."""
        named = self._hashes(user_ids, addresses)
        self._forget(named)
        noted = _noted.get(None)
        if noted is None:
            self.soon(named)
        else:
            noted.update(dict.fromkeys(named))

    async def forget(self, *user_ids: str, addresses: Iterable[str] = ()) -> None:
        """Forget users that others have changed: by subject identifiers, before and after, and by addresses.

        This process forgets at once. When this returns, NATS has the message for all other replicas. It is harmless to
        call it twice, or in another order than that of the changes.
        """
        named = self._hashes(user_ids, addresses)
        self._forget(named)
        await self._tell(FORGET, named)

    async def forget_fresh(self) -> None:
        """Let no answer read until now replace a call, in all replicas: changes may have been missed.

        Such answers may still replace errors.
        """
        self._distrust()
        await self._tell(FORGET_FRESH)

    async def tell(self, kind: bytes) -> None:
        """Send a message of that kind to all replicas, including this one. A kind is one byte, not `f`, `n` or `a`.

        If it cannot be sent at once, it is dropped, because it describes only the present.
        """
        names = self.names
        if names.shared and self._broadcast.stands:
            now = time.time_ns().to_bytes(WIDTH, "big")
            for message in names.messages(kind, [now]):
                await self._broadcast.tell(message)

    def hear(self, kind: bytes, heard: Callable[[], None]) -> None:
        """Call `heard` when a replica has sent a message of that kind, at most some seconds ago.

        Only replicas with the same secret can send one. A repeated message is ignored.
        """
        self._heard[kind] = heard

    def telling(self, capability: T) -> T:
        """Return `capability` so that its methods tell others all noted changes before they return or raise."""
        return around(capability, self._telling)

    def soon(self, named: Iterable[bytes]) -> None:
        """Tell others to forget, without waiting for it."""
        self._begin(self._tell(FORGET, list(named)))

    async def close(self) -> None:
        """End the sending of messages."""
        await asyncio.gather(*map(ended, self._tasks))

    def _telling(self, method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        @functools.wraps(method)
        async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the method takes and gives
            names = self.names
            noted: dict[bytes, None] = {}
            before = _noted.set(noted)
            try:
                return await method(*args, **kwargs)
            finally:
                _noted.reset(before)
                if noted:
                    await self._tell(FORGET if names is self.names else FORGET_ALL, noted)

        return call

    def _follow(self) -> None:
        secret = self._secret()
        if secret != self._secret_of_names:
            self._names, self._secret_of_names = Names(secret), secret
            self._memory.clear()
            if self._owed:
                self._owed = {FORGET_ALL: {}}

    def _hashes(self, user_ids: Iterable[str], addresses: Iterable[str]) -> list[bytes]:
        names = self.names
        return [*map(names.user, filter(None, user_ids)), *map(names.address, filter(None, addresses))]

    def _forget(self, named: list[bytes]) -> None:
        self._memory.forget(named, self._clock())
        self._changed()

    async def _tell(self, kind: bytes, named: Iterable[bytes] = ()) -> None:
        """Tell every replica what to forget. Messages that cannot be sent are kept for later."""
        named = list(named)
        names = self.names
        messages = names.messages(kind, named) if names.shared else iter((WITHOUT_KEY,))
        for message in messages:
            if not await self._broadcast.tell(message):
                self._owe(kind, named)
                return

    def _owe(self, kind: bytes, named: list[bytes]) -> None:
        """Keep what others were not told. Above a number of names this becomes: forget all."""
        if FORGET_ALL in self._owed:
            return
        owed = self._owed.setdefault(kind, {})
        owed.update(dict.fromkeys(named))
        if len(owed) > _MOST_OWED:
            self._owed = {FORGET_ALL: {}}

    def _hear(self, message: bytes) -> None:
        kind, named = self.names.understood(message) or (WITHOUT_KEY, [])
        if kind in self._heard:
            if self._is_new(named):
                self._heard[kind]()
            return
        self._notes.forget_received()
        if kind == FORGET:
            self._forget(named)
        elif kind == FORGET_ALL:
            self._memory.forget_all(self._clock())
            self._changed()
        elif kind in {FORGET_FRESH, WITHOUT_KEY}:
            self._distrust()

    def _is_new(self, told: list[bytes]) -> bool:
        """Whether a message sent at that time is new and not late."""
        moment, now, late = int.from_bytes(told[0], "big") if told else 0, time.time_ns(), int(CLOCKS_DIFFER * 1e9)
        if self._last_told > now + late:
            self._last_told = 0  # the clock was put back
        if moment <= self._last_told or abs(now - moment) > late:
            return False
        self._last_told = moment
        return True

    def _distrust(self) -> None:
        """Let no answer to a read that began before now replace a call, also if a later read joins it."""
        self._memory.forget_fresh(self._clock())
        self._changed()

    def _back(self) -> None:
        self._follow()
        self._distrust()
        owed, self._owed = self._owed, {}
        for kind, named in owed.items():
            self._begin(self._tell(kind, named))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="forgetting")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
