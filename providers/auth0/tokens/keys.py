# SPDX-License-Identifier: MIT
"""The tenant's key set (RFC 7517): fetched, kept, refreshed, and asked again for a key it did not have."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from jose import jwk
from jose.utils import base64_to_long

from app.domain.deadline import set_deadline
from app.domain.errors import InvalidToken, ProviderUnavailable
from app.domain.tasks import beside
from providers.auth0.tenant import errors
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.flights import Flights, Progress
from providers.auth0.tenant.limiter import Lane
from providers.auth0.tenant.retries import nothing
from providers.auth0.tokens.background import Background
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.client import Line

REFRESH: Final = 10 * 60.0
"""Seconds after which the set is fetched again, even if nobody asks."""

PATIENCE: Final = 30.0
"""Seconds after a fetch in which an unknown key causes no other fetch."""

_MAX_KEYS: Final = 100
_MAX_LENGTH: Final = 4 * 1024
"""Characters of a modulus or an exponent: more than OpenSSL takes (16,384 bits)."""

_MIN_BITS: Final = 2048
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_KEYS: Final = Kind("jwks", Lane.KEYS)
_CALL: Final = Call(
    kind=_KEYS, method="GET", path="/.well-known/jwks.json", fallback=ProviderUnavailable, anonymous=True
)


class Key(Protocol):
    """A public key of python-jose."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of `message` by this key."""
        ...


class Keys:
    """The keys with which the tenant signs tokens, by their ids."""

    def __init__(self, line: Line, monotonic: Callable[[], float]) -> None:
        """Take how the tenant is called, and a clock that never jumps (seconds)."""
        self._line = line
        self._clock = monotonic
        self._keys: dict[str, tuple[tuple[str, str], Key]] = {}
        self._fetched_at: float | None = None
        self._failed_at: float | None = None
        self._fetches: Flights[None] = Flights(line.budget, lasts=True)
        self._background = Background(_KEYS.name)

    @property
    def had_one(self) -> bool:
        """Whether a set was ever had."""
        return self._fetched_at is not None

    @property
    def fault(self) -> str:
        """Why the last fetch in the background failed, the empty string when it did not."""
        return self._background.fault

    def known(self, kid: str) -> Key | None:
        """Return the key with that id, None when the set that is kept has none."""
        entry = self._keys.get(kid)
        return None if entry is None else entry[1]

    async def find(self, kid: str) -> Key:
        """Return the key with that id, after fetching the set again if need be and if it is time for it.

        Raises:
            InvalidToken: a set not older than 30 s has no such key.
            ProviderUnavailable: it cannot be known, since no set was had or the last fetch failed.
        """
        if (key := self.known(kid)) is not None:
            return key
        if not self._fresh(self._fetched_at):
            if self._fresh(self._failed_at) and not self._fetches.to_join("keys"):
                raise ProviderUnavailable
            await self._fetches.join("keys", self._fetch)
        if (key := self.known(kid)) is not None:
            return key
        raise InvalidToken

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep the set at hand and recent while the context lasts."""
        async with aclosing(self._fetches), beside(self._keep(), "auth0 keys"):
            yield

    def _fresh(self, moment: float | None) -> bool:
        return moment is not None and self._clock() - moment < PATIENCE

    async def _keep(self) -> None:
        while True:
            set_deadline(self._line.budget.background())
            await self._background.run(self._fetches.join("keys", self._fetch))
            failures = self._background.failures
            await asyncio.sleep(_PAUSES[min(failures - 1, len(_PAUSES) - 1)] if failures else REFRESH)

    async def _fetch(self, progress: Progress) -> None:
        read: list[dict[str, tuple[tuple[str, str], Key]]] = []

        async def ask(_: None) -> Answer:
            answer = await self._line.http.send(_CALL, "")
            if answer.ok:
                read[:] = [self._read(answer)]  # one without keys is broken, and asked for again
            return answer

        try:
            await self._line.retries.run(_KEYS, nothing, ask, progress)
            if not read:
                raise errors.of_exception(_KEYS.name, BrokenAnswer("no key set")).error  # noqa: TRY301 - as those above
        except BaseException:  # remembered however it ended, and passed on
            self._failed_at = self._clock()
            self._line.upstream.refreshed("jwks", "failed")
            raise
        self._line.upstream.refreshed("jwks", "ok")
        self._fetched_at, self._failed_at = self._clock(), None
        self._keys = read[0]

    def _read(self, answer: Answer) -> dict[str, tuple[tuple[str, str], Key]]:
        content = answer.json()
        members = content.get("keys") if isinstance(content, dict) else None
        if not isinstance(members, list):
            raise BrokenAnswer("no key set")
        keys = {}
        for member in members[:_MAX_KEYS]:
            if (material := _material(member)) is not None:
                kept = self._keys.get(member["kid"])
                keys[member["kid"]] = kept if kept and kept[0] == material else (material, _construct(material))
        if not keys:
            raise BrokenAnswer("a key set without a key for RS256")
        return keys


def _material(member: Any) -> tuple[str, str] | None:  # noqa: ANN401 - whatever was sent
    """Return modulus and exponent of an RSA key meant for RS256 signatures, None for anything else."""
    if not isinstance(member, dict) or member.get("kty") != "RSA":
        return None
    if member.get("use", "sig") != "sig" or member.get("alg", "RS256") != "RS256":
        return None
    kid, modulus, exponent = member.get("kid"), member.get("n"), member.get("e")
    if not (isinstance(kid, str) and kid and isinstance(modulus, str) and isinstance(exponent, str)):
        return None
    try:
        # RFC 7518, section 3.3: a key of 2048 bits or more.
        if max(len(modulus), len(exponent)) > _MAX_LENGTH or base64_to_long(modulus).bit_length() < _MIN_BITS:
            return None
        _construct((modulus, exponent))
    except Exception:  # noqa: BLE001 - python-jose raises whatever its parts raise; the key is of no use
        return None
    return modulus, exponent


def _construct(material: tuple[str, str]) -> Key:
    modulus, exponent = material
    key: Key = jwk.construct({"kty": "RSA", "n": modulus, "e": exponent}, "RS256")
    return key
