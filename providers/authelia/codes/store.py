# SPDX-License-Identifier: MIT
"""One-time codes in KV: the store, what is mailed, and what a right code yields."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.domain.codes import Code, Ledger, LedgerFull, OneTimeCodes
from app.domain.errors import VerificationMailFailed
from app.domain.identity_tokens import LIFETIME
from app.domain.ports import VerifiedEmail
from providers.authelia.storage.kv import StorageFull
from providers.authelia.storage.records import hashed, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.users import Address
    from providers.authelia.codes.mailer import Mailer
    from providers.authelia.codes.sends import AllSends
    from providers.authelia.codes.signing import Keys, SigningKey
    from providers.authelia.storage.kv import Open


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
            digest = bytes.fromhex(record["digest"]).hex()
            code = Code(digest, float(record["expires_at"]), int(record["guesses"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            code = None
        return code, entry.revision

    async def save_code(self, address: Address, code: Code | None, revision: int | None) -> None:
        """Replace the code of the address."""
        bucket, key = await self._codes(), hashed(address)
        if code is None:
            await bucket.delete(key, revision or 0)
        else:
            # A code that is new needs room; a guess has some left, or the right code would be turned away.
            write = bucket.put if code.guesses else bucket.add
            await write(key, json.dumps(asdict(code)).encode(), revision or 0)

    async def load_ledger(self, address: Address) -> tuple[Ledger, int | None]:
        """Return the ledger of the address and its revision."""
        entry = await (await self._ledgers()).get(hashed(address))
        record = parse(entry.value) or {}
        try:
            ledger = Ledger(
                tuple(float(sent) for sent in record["sends"]), int(record["guesses"]), float(record["locked_until"])
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            ledger = Ledger()
        return ledger, entry.revision

    async def save_ledger(self, address: Address, ledger: Ledger, revision: int | None) -> None:
        """Replace the ledger of the address."""
        bucket = await self._ledgers()
        write = bucket.put if revision else bucket.add
        try:
            await write(hashed(address), json.dumps(asdict(ledger)).encode(), revision or 0)
        except StorageFull as full:
            raise LedgerFull from full

    async def refuse_when_full(self) -> None:
        """Raise StorageFull when there is room left for guesses only."""
        for bucket in (await self._codes(), await self._ledgers()):
            if not await bucket.has_room():
                raise StorageFull


class AutheliaVerification:
    """Mails codes and exchanges them for identity tokens."""

    def __init__(
        self, store: KvCodeStore, sends: AllSends, signing: SigningKey, mailer: Mailer, now: Callable[[], float]
    ) -> None:
        """Take where codes are kept, what counts all sends, the keys, what mails, and the clock (Unix seconds)."""
        self._store = store
        self._sends = sends
        self._signing = signing
        self._mailer = mailer
        self._now = now

    async def send_code(self, address: Address) -> None:
        """Mail a code. Raises TooManyCodes, TooManyAttempts, VerificationMailFailed."""
        try:
            # Asked before anything is counted: a send that is refused shall not count against the address.
            await self._sends.refuse()
            await self._store.refuse_when_full()
            await self._codes(await self._signing.keys()).send(address, self._deliver)
        except (StorageFull, LedgerFull) as full:
            raise VerificationMailFailed from full

    async def redeem(self, address: Address, code: str) -> VerifiedEmail:
        """Exchange the code."""
        keys = await self._signing.keys()
        await self._codes(keys).redeem(address, code)
        return VerifiedEmail(keys.tokens.issue(address), token_type="Bearer", expires_in=LIFETIME)  # noqa: S106

    async def _deliver(self, address: Address, code: str) -> None:
        await self._sends.count()
        await self._mailer.send_code(address, code)

    def _codes(self, keys: Keys) -> OneTimeCodes:
        return OneTimeCodes(self._store, keys.code_key, self._now, secrets.randbelow)
