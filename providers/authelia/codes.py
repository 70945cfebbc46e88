# SPDX-License-Identifier: MIT
"""One-time codes in KV: the store, what is mailed, and what a right code yields."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.domain.codes import Code, Ledger, OneTimeCodes
from app.domain.errors import VerificationMailFailed
from app.domain.identity_tokens import LIFETIME
from app.domain.ports import VerifiedEmail
from providers.authelia.kv import StorageFull
from providers.authelia.records import hashed, parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.users import Address
    from providers.authelia.kv import Bucket
    from providers.authelia.mailer import Mailer
    from providers.authelia.signing import SigningKey

    Open = Callable[[], Awaitable[Bucket]]


class KvCodeStore:
    """Keeps the two records of an address, each under the hash of the address."""

    def __init__(self, codes: Open, ledgers: Open) -> None:
        """Take the bucket of codes and the one of what outlives them."""
        self._codes = codes
        self._ledgers = ledgers

    async def load_code(self, address: Address) -> tuple[Code | None, int | None]:
        """Return the code of the address and its revision; what cannot be read is no code."""
        entry = await (await self._codes()).get(hashed(address))
        record = parse(entry.value) or {}
        try:
            code = Code(str(record["digest"]), float(record["expires_at"]), int(record["guesses"]))
        except (KeyError, TypeError, ValueError):
            code = None
        return code, entry.revision

    async def save_code(self, address: Address, code: Code | None, revision: int | None) -> None:
        """Replace the code of the address."""
        bucket, key = await self._codes(), hashed(address)
        if code is None:
            await bucket.delete(key, revision or 0)
        else:
            await bucket.put(key, json.dumps(asdict(code)).encode(), revision or 0)

    async def load_ledger(self, address: Address) -> tuple[Ledger, int | None]:
        """Return the ledger of the address and its revision."""
        entry = await (await self._ledgers()).get(hashed(address))
        record = parse(entry.value) or {}
        try:
            ledger = Ledger(
                tuple(float(sent) for sent in record["sends"]), int(record["guesses"]), float(record["locked_until"])
            )
        except (KeyError, TypeError, ValueError):
            ledger = Ledger()
        return ledger, entry.revision

    async def save_ledger(self, address: Address, ledger: Ledger, revision: int | None) -> None:
        """Replace the ledger of the address."""
        await (await self._ledgers()).put(hashed(address), json.dumps(asdict(ledger)).encode(), revision or 0)


class AutheliaVerification:
    """Mails codes and exchanges them for identity tokens."""

    def __init__(self, store: KvCodeStore, signing: SigningKey, mailer: Mailer, now: Callable[[], float]) -> None:
        """Take where codes are kept, the keys, what mails, and the clock (Unix seconds)."""
        self._store = store
        self._signing = signing
        self._mailer = mailer
        self._now = now

    async def send_code(self, address: Address) -> None:
        """Mail a code. Raises TooManyCodes, TooManyAttempts, VerificationMailFailed."""
        try:
            await (await self._codes()).send(address, self._mailer.send_code)
        except StorageFull as full:
            raise VerificationMailFailed from full

    async def redeem(self, address: Address, code: str) -> VerifiedEmail:
        """Exchange the code."""
        await (await self._codes()).redeem(address, code)
        tokens = (await self._signing.keys()).tokens
        return VerifiedEmail(tokens.issue(address), token_type="Bearer", expires_in=LIFETIME)  # noqa: S106

    async def _codes(self) -> OneTimeCodes:
        return OneTimeCodes(self._store, (await self._signing.keys()).code_key, self._now, secrets.randbelow)
