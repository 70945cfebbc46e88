# SPDX-License-Identifier: MIT
"""One-time codes in memory; they appear in the log and nowhere else."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from loguru import logger

from app.domain.codes import Ledger, StaleRevision
from app.domain.disclosures import ALWAYS, VerificationCode
from app.domain.identity_tokens import LIFETIME
from app.domain.ports import VerifiedEmail

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.codes import Code, OneTimeCodes
    from app.domain.identity_tokens import IdentityTokens
    from app.domain.users import Address

_LEDGER_LIFETIME = 24 * 60 * 60
_MAX_ADDRESSES = 100_000


class MemoryCodeStore:
    """Keeps the records of addresses; the oldest go when there are too many."""

    def __init__(self, now: Callable[[], float], max_addresses: int = _MAX_ADDRESSES) -> None:
        """Take the clock (Unix seconds) and of how many addresses records are kept."""
        self._now = now
        self._max_addresses = max_addresses
        self._revision = 0
        self._codes: OrderedDict[str, tuple[Code | None, int]] = OrderedDict()
        self._ledgers: OrderedDict[str, tuple[Ledger, int, float]] = OrderedDict()

    async def load_code(self, address: Address) -> tuple[Code | None, int | None]:
        """Return the code of the address and its revision."""
        return self._codes.get(address, (None, None))

    async def save_code(self, address: Address, code: Code | None, revision: int | None) -> None:
        """Replace the code of the address."""
        if self._codes.get(address, (None, None))[1] != revision:
            raise StaleRevision
        self._codes[address] = (code, self._next_revision())
        if len(self._codes) > self._max_addresses:
            self._codes.popitem(last=False)

    async def load_ledger(self, address: Address) -> tuple[Ledger, int | None]:
        """Return the ledger of the address and its revision; a day after its last change it is empty."""
        ledger, revision, saved = self._ledgers.get(address, (Ledger(), None, self._now()))
        return (ledger if saved > self._now() - _LEDGER_LIFETIME else Ledger()), revision

    async def save_ledger(self, address: Address, ledger: Ledger, revision: int | None) -> None:
        """Replace the ledger of the address."""
        if address in self._ledgers and self._ledgers[address][1] != revision:
            raise StaleRevision
        self._ledgers[address] = (ledger, self._next_revision(), self._now())
        if len(self._ledgers) > self._max_addresses:
            self._ledgers.popitem(last=False)

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision


class MockVerification:
    """Sends codes to the log and exchanges them for identity tokens."""

    def __init__(self, codes: OneTimeCodes, tokens: IdentityTokens) -> None:
        """Take the rules of codes and what signs identity tokens."""
        self._codes = codes
        self._tokens = tokens

    async def send_code(self, address: Address) -> None:
        """Log a code."""
        await self._codes.send(address, _deliver)

    async def redeem(self, address: Address, code: str) -> VerifiedEmail:
        """Exchange the code."""
        await self._codes.redeem(address, code)
        return VerifiedEmail(self._tokens.issue(address), token_type="Bearer", expires_in=LIFETIME)  # noqa: S106


async def _deliver(address: Address, code: str) -> None:
    logger.bind(disclosed=VerificationCode(address, code)).log(ALWAYS, "verification code")
