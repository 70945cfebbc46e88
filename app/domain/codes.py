# SPDX-License-Identifier: MIT
"""One-time codes that this service makes itself: their life, and the limits on guesses and sends.

Every provider without its own passwordless service uses them. The provider decides where the two records of an
address are kept (`CodeStore`).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.deadline import LEFT_FOR_THE_REPLY, current_deadline
from app.domain.errors import (
    CodeNotFound,
    ProviderUnavailable,
    TooManyAttempts,
    TooManyCodes,
    TooManyGuesses,
    WrongCode,
)
from app.domain.spellings import comparable
from app.domain.users import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CODE_LIFETIME: Final = 5 * 60
MAX_GUESSES: Final = 5
SEND_WINDOW: Final = 60 * 60
MAX_SENDS: Final = 5
MAX_WRONG_GUESSES: Final = 100
"""Wrong guesses for one address without a success in between: NIST SP 800-63B, section 5.2.2."""
LOCK_TIME: Final = 24 * 60 * 60


class StaleRevision(Exception):
    """Somebody else has changed the record since it was read."""


class LedgerFull(Exception):
    """There is no room for a new or a longer ledger."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was sent: its keyed hash, when it expires (Unix seconds), and the guesses made so far."""

    digest: str
    expires_at: float
    guesses: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """Data that outlives a code: times of sends, guesses since the last success, end of the address's lock."""

    sends: tuple[float, ...] = ()
    guesses: int = 0
    locked_until: float = 0.0


class CodeStore(Protocol):
    """Keeps the two records of an address. The address is in the form that is compared.

    A revision is a value that the store compares. None: there is no record.

    The `save` methods raise StaleRevision if the record has another revision by now. Saving None removes it.
    Saving a ledger may raise LedgerFull.
    """

    async def load_code(self, address: Address) -> tuple[Code | None, int | None]:
        """Return the code of the address and its revision."""
        ...

    async def save_code(self, address: Address, code: Code | None, revision: int | None) -> None:
        """Replace the code of the address."""
        ...

    async def load_ledger(self, address: Address) -> tuple[Ledger, int | None]:
        """Return the ledger of the address and its revision."""
        ...

    async def save_ledger(self, address: Address, ledger: Ledger, revision: int | None) -> None:
        """Replace the ledger of the address."""
        ...


def _one_for_all(address: Address) -> Address:
    """Return the form of the address that is the same for all its spellings."""
    return Address(comparable(address))


class OneTimeCodes:
    """Makes codes and checks guesses. Any number of replicas can share the store."""

    def __init__(self, store: CodeStore, key: bytes, now: Callable[[], float], randbelow: Callable[[int], int]) -> None:
        """Take the store, the key of the hash, the clock (Unix seconds) and a source of random numbers."""
        self._store = store
        self._key = key
        self._now = now
        self._randbelow = randbelow

    async def send(self, given: Address, deliver: Callable[[Address, str], Awaitable[None]]) -> None:
        """Make a code, deliver it, and replace the previous one. If `deliver` raises, no code remains.

        It goes to the address as given. Everything else is kept and counted for all spellings of the address together.

        Raises:
            TooManyCodes: five were sent within the hour.
            TooManyAttempts: the address is locked.
            LedgerFull: it cannot be counted.
        """
        address = _one_for_all(given)
        await self._count_send(address)
        code = f"{self._randbelow(1_000_000):06d}"
        made = Code(self._digest(address, code), self._now() + CODE_LIFETIME)
        await deliver(given, code)
        while True:
            _, revision = await self._store.load_code(address)
            try:
                return await self._store.save_code(address, made, revision)
            except StaleRevision:
                continue

    async def redeem(self, address: Address, guess: str) -> None:
        """Use up the code if `guess` is right. A guess is counted before it is compared.

        If the ledger is full, the code's own count is enough: no more codes are sent, so the address has at most one
        code and five guesses.

        Raises:
            CodeNotFound: there is none, or it has expired or been used.
            WrongCode: one of the first five wrong guesses.
            TooManyGuesses: a later one, right or wrong.
            TooManyAttempts: the address is locked.
        """
        address = _one_for_all(address)
        ledger, _ = await self._store.load_ledger(address)
        self._refuse_locked(ledger)
        code = await self._count_guess(address)
        with suppress(LedgerFull):
            await self._count_attempt(address)
        if not hmac.compare_digest(code.digest, self._digest(address, guess)):
            raise WrongCode
        await self._use_up(address, code)
        # The code is gone: to fail now, or to come too late, would lose it. The next success forgives what is not now.
        left = current_deadline().until_reply() - LEFT_FOR_THE_REPLY
        with suppress(LedgerFull, ProviderUnavailable, TimeoutError):
            async with asyncio.timeout(left if left < math.inf else None):
                await self._forgive(address)

    def _digest(self, address: Address, code: str) -> str:
        return hmac.new(self._key, f"{address}\n{code}".encode(), hashlib.sha256).hexdigest()

    def _refuse_locked(self, ledger: Ledger) -> None:
        if ledger.locked_until > self._now():
            raise TooManyAttempts

    async def _change_ledger(self, address: Address, change: Callable[[Ledger], Ledger]) -> None:
        while True:
            ledger, revision = await self._store.load_ledger(address)
            try:
                return await self._store.save_ledger(address, change(ledger), revision)
            except StaleRevision:
                continue

    async def _count_send(self, address: Address) -> None:
        def count(ledger: Ledger) -> Ledger:
            self._refuse_locked(ledger)
            recent = tuple(sent for sent in ledger.sends if sent > self._now() - SEND_WINDOW)
            if len(recent) >= MAX_SENDS:
                raise TooManyCodes
            return replace(ledger, sends=(*recent, self._now()))

        await self._change_ledger(address, count)

    async def _count_guess(self, address: Address) -> Code:
        while True:
            code, revision = await self._store.load_code(address)
            if code is None or code.expires_at <= self._now():
                raise CodeNotFound
            if code.guesses >= MAX_GUESSES:
                raise TooManyGuesses
            counted = replace(code, guesses=code.guesses + 1)
            try:
                await self._store.save_code(address, counted, revision)
            except StaleRevision:
                continue
            return counted

    async def _count_attempt(self, address: Address) -> None:
        def count(ledger: Ledger) -> Ledger:
            self._refuse_locked(ledger)
            guesses = 1 if ledger.locked_until else ledger.guesses + 1
            locked_until = self._now() + LOCK_TIME if guesses >= MAX_WRONG_GUESSES else 0.0
            return replace(ledger, guesses=guesses, locked_until=locked_until)

        await self._change_ledger(address, count)

    async def _use_up(self, address: Address, right: Code) -> None:
        while True:
            code, revision = await self._store.load_code(address)
            if code is None or code.digest != right.digest:
                raise CodeNotFound
            try:
                return await self._store.save_code(address, None, revision)
            except StaleRevision:
                continue

    async def _forgive(self, address: Address) -> None:
        await self._change_ledger(address, lambda ledger: replace(ledger, guesses=0, locked_until=0.0))
