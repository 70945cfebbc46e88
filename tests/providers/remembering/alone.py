# SPDX-License-Identifier: MIT
"""One directory that remembers, on a provider in memory: time passes at once, and all that is told is kept."""

from __future__ import annotations

import asyncio
import math

from app.domain.deadline import current_deadline
from app.domain.errors import InvalidToken, ProviderUnavailable, RateLimited, UserNotFound
from app.domain.reads import Meant, Source, Turn
from app.domain.tokens import Caller
from app.domain.users import Address, User
from providers.remembering.directory import Parts, RememberingDirectory, Rules
from providers.remembering.forgetting import Forgetting
from providers.remembering.memory import Memory
from providers.remembering.outages import Outage
from providers.remembering.renewals import Renewals
from tests.support.virtual_time import now

ADA = User("auth0|ada", "ada", "ada@example.org")
EDA = User("auth0|eda", "eda", "eda@example.org")


class Provider:
    """A directory in which people are found, after some seconds, unless it fails."""

    def __init__(self) -> None:
        self.people = [ADA, EDA]
        self.error: Exception | None = None
        self.seconds = 0.0
        self.asked: list[object] = []
        self.at_work = self.most_at_work = 0
        self.write_seconds = 0.0
        """Seconds that a write takes at the end of a read; 0: nothing is written."""

        self.writes: list[tuple[str, float]] = []

    async def _answer(self, what: object, *names: str) -> User:
        self.asked.append(what)
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await asyncio.sleep(self.seconds)
            await self._write()
        finally:
            self.at_work -= 1
        if self.error is not None:
            raise self.error
        found = [one for one in self.people if {one.user_id, one.username, one.primary_email} & {*names}]
        if not found:
            raise UserNotFound
        return found[0]

    async def _write(self) -> None:
        if self.write_seconds:
            current_deadline().commit()
            self.writes.append(("begun", now()))
            await asyncio.sleep(self.write_seconds)
            self.writes.append(("ended", now()))

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:
        return await self._answer(("by_email", address, fresh), address)

    async def of_caller(self, caller: Caller) -> User:
        return await self._answer(("of_caller", caller.subject), caller.subject)

    async def find(self, meant: Meant) -> User:
        return await self._answer(("find", meant), meant.username or meant.subject)

    def named(self, reference: str) -> Meant | None:
        if reference.startswith("token"):
            return None
        return Meant(reference) if "|" in reference else Meant("", reference)

    async def of_token(self, token: str) -> Meant:
        self.asked.append("of_token")
        if token == "token bad":
            raise InvalidToken
        subject, username = token.removeprefix("token ").split(" ")
        return Meant(subject, username)


class Alone:
    """The directory under remembered answers, alone; keeps what it is told."""

    def __init__(
        self,
        fresh_for: float = 0.0,
        stale_for: float = 100.0,
        patience: float = 1.0,
        begun: float = 1000.0,
        turn: Turn | None = None,
    ) -> None:
        self.provider, self.outage = Provider(), Outage()
        self.told: list[bytes] = []
        self.sources: list[tuple[str, float]] = []
        self.turns = 0
        self.waits = 0.0
        """Seconds until a request has its turn."""

        self.fresh_for, self.limited, self.unheard = fresh_for, False, False
        self.memory = Memory(1024**2, 20.0)
        self.forgetting = Forgetting(self.memory, self, self, now)
        self.renewals = Renewals(10.0)
        parts = Parts(self.memory, self.forgetting, self.outage, self.renewals, self, turn or self.turn)
        rules = Rules(
            fresh_for=lambda: self.fresh_for,
            stale_for=stale_for,
            patience=patience,
            longest_read=10.0,
            limited=lambda: self.limited,
            unheard=lambda: self.unheard,
            clock=lambda: begun + now(),
        )
        self.forgetting._clock = rules.clock  # noqa: SLF001 - one clock for both
        self.directory = RememberingDirectory(self.provider, parts, rules)

    def listen(self, *_: object) -> None:
        """Nobody else is there."""

    async def tell(self, message: bytes) -> bool:
        self.told.append(message)
        return True

    async def turn(self, within: float = math.inf) -> bool:
        self.turns += 1
        await asyncio.sleep(min(self.waits, within))
        return self.waits <= within

    def answered(self, source: Source, age: float = 0.0) -> None:
        self.sources.append((str(source), round(age, 3)))

    def forget_received(self) -> None:
        """Nobody sends anything."""

    async def read(self, reference: str = "ada") -> object:
        """Return whom the directory finds, or the kind of its failure."""
        try:
            return await self.directory.resolve(reference)
        except (UserNotFound, ProviderUnavailable, RateLimited, InvalidToken) as error:
            return type(error)

    def asked(self) -> int:
        found, self.provider.asked = len(self.provider.asked), []
        return found
