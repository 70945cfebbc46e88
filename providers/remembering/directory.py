# SPDX-License-Identifier: MIT
"""Finds users, and uses remembered answers instead of errors and calls.

If a write depends on a read (`of_caller`, and `fresh` searches), the answer is always the provider's.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard

from app.domain.errors import Fault, ServiceError, UserNotFound
from app.domain.reads import Source
from providers.remembering.memory import ABSENT_FOR, ADDRESS, SUBJECT, USERNAME
from providers.remembering.records import packed, unpacked
from providers.remembering.renewals import Trial

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.reads import NamingDirectory, ReadNotes, Turn
    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.remembering.forgetting import Forgetting
    from providers.remembering.memory import AtHand, Memory
    from providers.remembering.outages import Outage
    from providers.remembering.renewals import Renewals

    Ask = Callable[[], Awaitable[User]]

_CANNOT_ANSWER: Final = frozenset((Fault.UPSTREAM, Fault.LIMIT))
_MOST_TRYING: Final = 32
"""Maximum number of simultaneous reads that try a failing provider. Others use a remembered answer at once."""

_MOST_OF_ITS_TIME: Final = 0.9
"""Part of a request's time after which an older answer that is at hand is given, however long the patience is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How old answers may be, and how long the provider is tried (seconds).

    `fresh_for` is called at every read. `limited` says whether the provider is known to refuse reads at the moment.
    `unheard` says whether messages of changes have arrived that are not yet processed.
    """

    fresh_for: Callable[[], float]
    stale_for: float
    patience: float
    longest_read: float
    limited: Callable[[], bool]
    unheard: Callable[[], bool]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the directory; `turn` waits for the turn of the current request."""

    memory: Memory
    forgetting: Forgetting
    outage: Outage
    renewals: Renewals
    notes: ReadNotes
    turn: Turn


class RememberingDirectory:
    """A directory that remembers the answers of another one."""

    takes_turns = True

    def __init__(self, directory: NamingDirectory, parts: Parts, rules: Rules) -> None:
        """Take the directory that asks the provider, the parts and the rules."""
        self._directory = directory
        self._memory = parts.memory
        self._forgetting = parts.forgetting
        self._outage = parts.outage
        self._notes = parts.notes
        self._turn = parts.turn
        self._rules = rules
        self._renewals = parts.renewals
        self._trying = 0

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user with the primary e-mail `address`, else the user with it as a verified alternate.

        A `fresh` answer is always the provider's, and remembered like any other: so no older one is given after it.
        """
        key = ADDRESS + self._forgetting.names.address(address)
        if fresh:
            await self._turn()
            return await self._found(key, lambda: self._directory.by_email(address, fresh=True))
        return await self._read(key, lambda: self._directory.by_email(address))

    async def of_caller(self, caller: Caller) -> User:
        """Find the account of a verified token: always the provider's answer."""
        await self._turn()
        began = self._rules.clock()
        try:
            return await self._directory.of_caller(caller)
        except UserNotFound:
            self._gone(SUBJECT + self._forgetting.names.user(caller.subject), began)
            raise

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject identifier or a username. A token is verified every time."""
        meant = self._directory.named(reference)
        if meant is None:
            await self._turn()
            meant = await self._directory.of_token(reference)
        names = self._forgetting.names
        key = USERNAME + names.username(meant.username) if meant.username else SUBJECT + names.user(meant.subject)
        owner = names.user(meant.subject) if meant.username and meant.subject else b""
        return await self._read(key, lambda: self._directory.find(meant), owner)

    async def _read(self, key: bytes, ask: Ask, owner: bytes = b"") -> User:
        """Return the user of `key`: from memory if allowed, else from `ask`. `owner`: who it must be."""
        now, unheard = self._rules.clock(), self._rules.unheard()
        fresh_for = self._rules.fresh_for() * (not unheard)
        found = self._at_hand(key, owner)
        if fresh_for:
            if found is not None and found.settled and found.began >= now - fresh_for:
                self._notes.answered(Source.FRESH)
                return unpacked(found.record)
            if self._memory.was_absent(key, now - min(fresh_for, ABSENT_FOR)):
                self._notes.answered(Source.FRESH)
                raise UserNotFound
        until = now + _MOST_OF_ITS_TIME * self._rules.longest_read
        if self._usable(found):
            if not unheard and self._is_hopeless():
                return self._stale(found)
            if await self._wait(unheard, within=min(self._rules.patience, until - now)):
                return await self._with_patience(key, ask, owner, until)
            found = self._at_hand(key, owner)
            if self._usable(found):
                return self._stale(found)
        # There is nothing at hand, or nothing any more: the read waits for its turn as any other.
        await self._wait(unheard)
        if self._usable(self._at_hand(key, owner)):
            return await self._with_patience(key, ask, owner, until)
        return await self._asked(key, ask)

    async def _with_patience(self, key: bytes, ask: Ask, owner: bytes, until: float) -> User:
        """Ask the provider while there is patience, `until` then at most; after that see what is at hand.

        What was at hand may have been forgotten meanwhile, because the user was changed: then it is asked for as ever.
        """
        seconds = min(self._rules.patience, until - self._rules.clock())
        if seconds <= 0 or self._is_hopeless():
            found = self._at_hand(key, owner)
            return self._stale(found) if self._usable(found) else await self._asked(key, ask)
        trial = await self._tried(key, ask, seconds)
        found = self._at_hand(key, owner)
        if not self._usable(found) or not _has_failed(trial.task):
            self._notes.answered(Source.PROVIDER)
            return await trial.task
        if not trial.task.done():
            self._outage.failing = True
            if trial.leave():
                self._renewals.begin(key, lambda: self._found(key, ask))
        return self._stale(found)

    async def _wait(self, unheard: bool, within: float = math.inf) -> bool:  # noqa: FBT001 - said by its name
        """Wait for the request's turn, and until earlier messages are processed: their task wakes up first.

        Return whether it has its turn, for which it waits `within` seconds at most.
        """
        had = await self._turn(within)
        if unheard and had:  # without its turn it waited for that one moment already, and may not do so here
            await asyncio.sleep(0)
        return had

    def _at_hand(self, key: bytes, owner: bytes) -> AtHand | None:
        found = self._memory.find(key)
        return None if found is None or (owner and found.owner != owner) else found

    def _usable(self, found: AtHand | None) -> TypeGuard[AtHand]:
        stale_for = self._rules.stale_for
        return found is not None and stale_for > 0 and found.began >= self._rules.clock() - stale_for

    def _is_hopeless(self) -> bool:
        """Whether the provider is known not to answer now. A few reads always try."""
        return self._rules.limited() or (self._outage.failing and self._trying >= _MOST_TRYING)

    async def _tried(self, key: bytes, ask: Ask, seconds: float) -> Trial:
        """Ask the provider, and wait for its answer for so many seconds."""
        trial = Trial(lambda: self._found(key, ask))
        self._trying += 1
        try:
            await trial.within(seconds)
        finally:
            self._trying -= 1
        return trial

    def _stale(self, found: AtHand) -> User:
        self._outage.stale()
        self._notes.answered(Source.STALE, self._rules.clock() - found.began)
        return unpacked(found.record)

    async def _asked(self, key: bytes, ask: Ask) -> User:
        try:
            return await self._found(key, ask)
        finally:
            self._notes.answered(Source.PROVIDER)

    async def _found(self, key: bytes, ask: Ask) -> User:
        """Return the provider's answer, and remember it."""
        names, began = self._forgetting.names, self._rules.clock()
        try:
            user = await ask()
        except UserNotFound:
            self._outage.failing = False
            self._gone(key, began)
            raise
        except ServiceError as error:
            self._outage.failing = error.fault in _CANNOT_ANSWER
            raise
        self._outage.failing = False
        self._memory.remember(key, names.user(user.user_id), packed(user), began)
        return user

    def _gone(self, key: bytes, began: float) -> None:
        """Note that the provider has no such user. If one was remembered, tell the other replicas."""
        if forgotten := self._memory.remember_nobody(key, began):
            self._forgetting.soon(forgotten)


def _has_failed(task: asyncio.Task[User]) -> bool:
    """Whether an older answer may be given instead: the provider cannot answer, or takes too long."""
    if not task.done():
        return True
    error = task.exception()
    return isinstance(error, ServiceError) and error.fault in _CANNOT_ANSWER
