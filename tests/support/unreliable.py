# SPDX-License-Identifier: MIT
"""What goes wrong between a process and a bucket: the process is killed, answers are lost, writes arrive late.

And a key for identity tokens that never goes wrong.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.domain.codes import StaleRevision
from app.domain.errors import ProviderUnavailable
from app.domain.identity_tokens import EmailProof
from tests.support.buckets import MemoryBucket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.users import Address
    from providers.authelia.storage.kv import Entry

    Write = Callable[[], Awaitable[Any]]
    """Makes a write. Raises StaleRevision."""


class Killed(BaseException):
    """The process is killed."""


class Proving:
    """A signing key by which every identity token is one of `address`, under its own text as `jti`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def keys(self) -> Any:
        return self

    @property
    def tokens(self) -> Any:
        return self

    def check(self, token: str) -> EmailProof:
        return EmailProof(self._address, token)


@dataclass(frozen=True)
class Trouble:
    """How likely each trouble is at a write, and by how many seconds the clock of a process may be wrong."""

    killed: float = 0.0
    """The process is killed before the write."""
    unanswered: float = 0.0
    """The write is made, and its answer is lost."""
    late: float = 0.0
    """The write gets no answer; it arrives later."""
    clocks: tuple[float, ...] = (0.0,)


APART = (0.0, 61.0, -61.0)
TROUBLES = {
    "none": Trouble(),
    "kills": Trouble(killed=0.15),
    "lost answers": Trouble(unanswered=0.15),
    "late writes": Trouble(late=0.3),
    "clocks apart": Trouble(clocks=APART),
    "all": Trouble(killed=0.08, unanswered=0.04, late=0.12, clocks=APART),
    "many": Trouble(killed=0.1, unanswered=0.05, late=0.2, clocks=APART),
}


class SharedBucket(MemoryBucket):
    """A bucket in which others go first only while it is shared: all else is quicker alone."""

    shared = False

    async def _let_others(self) -> None:
        if self.shared:
            await super()._let_others()


@dataclass(frozen=True)
class UnreliableBucket:
    """A bucket as one process reaches it; `chance` decides what goes wrong, `send_late` takes writes that are late."""

    bucket: MemoryBucket
    trouble: Trouble
    chance: random.Random
    send_late: Callable[[Write], None]

    async def opened(self) -> UnreliableBucket:
        return self

    async def get(self, key: str) -> Entry:
        return await self.bucket.get(key)

    async def keys(self) -> list[str]:
        return await self.bucket.keys()

    async def put(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        return await self._written(lambda: self.bucket.put(key, value, revision, before))

    async def add(self, key: str, value: bytes, revision: int, before: str = "") -> int:
        return await self._written(lambda: self.bucket.add(key, value, revision, before))

    async def delete(self, key: str, revision: int, before: str = "") -> None:
        await self._written(lambda: self.bucket.delete(key, revision, before))

    async def _written(self, write: Write) -> Any:
        troubles = {"killed": self.trouble.killed, "unanswered": self.trouble.unanswered, "late": self.trouble.late}
        odds = [*troubles.values(), 1 - sum(troubles.values())]
        [fate] = self.chance.choices([*troubles, "made"], odds)
        if fate == "killed":
            raise Killed
        if fate == "late":
            self.send_late(write)
            raise ProviderUnavailable
        if fate == "unanswered":
            with suppress(StaleRevision):
                await write()
            raise ProviderUnavailable
        return await write()
