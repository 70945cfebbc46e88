# SPDX-License-Identifier: MIT
"""Remembers used identity tokens: each links once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from app.domain.codes import StaleRevision
from app.domain.errors import InvalidIdentityToken, ProviderUnavailable
from providers.authelia.storage import records

if TYPE_CHECKING:
    from providers.authelia.storage.kv import Open

_AT_WORK: Final = "at work"
_USED: Final = "used"
_LOOK: Final = 2.0
"""Seconds for a note without which the request succeeds too."""


class UsedTokens:
    """Notes of identity tokens that have linked, by their `jti`; they outlive the tokens by far."""

    def __init__(self, claims: Open) -> None:
        """Take the bucket."""
        self._claims = claims

    async def begin(self, jti: str, username: str) -> int:
        """Note that the account is about to link by the token. Raises InvalidIdentityToken, StorageFull.

        Return what `forget` takes. The account that had begun and was cut off may begin again; as it may also be at
        work with another request, that note is not this one's to take back. What cannot be read counts as used.
        """
        bucket = await self._claims()
        entry = await bucket.get(_key(jti))
        noted = records.parse(entry.value)
        if entry.value is not None and noted != {"username": username, "state": _AT_WORK}:
            raise InvalidIdentityToken
        try:
            begun = await bucket.add(_key(jti), _note(username, _AT_WORK), entry.revision)
        except StaleRevision:  # somebody else has begun, or has taken a note back
            return await self.begin(jti, username)
        return begun if entry.value is None else 0

    async def finish(self, jti: str, username: str) -> None:
        """Note that the token has linked."""
        bucket = await self._claims()
        entry = await bucket.get(_key(jti))
        try:
            await bucket.put(_key(jti), _note(username, _USED), entry.revision)
        except StaleRevision:
            return await self.finish(jti, username)

    async def settle(self, jti: str, username: str) -> None:
        """Note that the token has linked if the account had begun with it, and was cut off after the last write.

        It is linked all the same where that cannot be noted.
        """
        with suppress(StaleRevision, ProviderUnavailable, TimeoutError):
            async with asyncio.timeout(_LOOK):
                bucket = await self._claims()
                entry = await bucket.get(_key(jti))
                if records.parse(entry.value) == {"username": username, "state": _AT_WORK}:
                    await bucket.put(_key(jti), _note(username, _USED), entry.revision)

    async def forget(self, jti: str, begun: int) -> None:
        """Take back the note that `begin` made: the token has not linked. What was written since stays."""
        if begun:
            with suppress(StaleRevision):
                await (await self._claims()).delete(_key(jti), begun)


def _key(jti: str) -> str:
    return f"jti/{hashlib.sha256(jti.encode()).hexdigest()}"


def _note(username: str, state: str) -> bytes:
    return json.dumps({"username": username, "state": state}).encode()
