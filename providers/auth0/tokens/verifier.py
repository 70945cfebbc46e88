# SPDX-License-Identifier: MIT
"""Verification of callers' tokens: JWTs of the tenant (RFC 7519), with the advice of RFC 8725 followed."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from app.domain.errors import InvalidAudience, InvalidIssuer, InvalidToken, MissingScope, TokenExpired
from app.domain.tokens import Caller
from providers.auth0.tokens import jws

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.auth0.tokens.keys import Key, Keys

LEEWAY: Final = 30.0
"""Seconds by which the tenant's clock and ours may differ."""

MAX_REMEMBERED: Final = 10_000
"""Tokens whose verification is remembered, the least recently used forgotten first."""

MAX_REMEMBERED_LENGTH: Final = 4 * 1024
"""Characters beyond which a token is not remembered, so that what is remembered stays small."""

MAY_IMPERSONATE: Final = "http://lfx.dev/claims/can_impersonate"
"""The claim that allows its subject to act as somebody else, when it is `true`."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token says whose signature is right. `audiences` and `scopes` are sets of words."""

    subject: str
    issuer: str
    audiences: frozenset[str]
    scopes: frozenset[str]
    expires: float
    not_before: float
    may_impersonate: bool
    kid: str
    key: Key


class Tokens:
    """Verifies callers' tokens."""

    def __init__(
        self, keys: Keys, issuer: str, audience: str, now: Callable[[], float] = time.time, also_read: str = ""
    ) -> None:
        """Take the tenant's keys, its name, for whom the tokens must be meant, and the clock (Unix seconds).

        `also_read`: another audience, whose tokens say who their subject is, and let nobody act on an account.
        """
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._readers = (audience, also_read) if also_read else (audience,)
        self._now = now
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    async def verify(self, token: str, *, scope: str) -> Caller:
        """Verify `token` and that it carries `scope`; see `ports.Callers`."""
        verified = await self.check(token, self._audience)
        if scope not in verified.scopes:
            raise MissingScope
        return Caller(verified.subject, SecretStr(token))

    async def subject_of(self, token: str) -> str:
        """Return whom `token` speaks for, whatever its scopes. Raises what `verify` raises but MissingScope."""
        return (await self.check(token, *self._readers)).subject

    async def check(self, token: str, *audiences: str) -> Verified:
        """Return what `token`, meant for one of `audiences`, says.

        Raises, in the order of the checks: InvalidToken, TokenExpired, InvalidIssuer, InvalidAudience; and
        ProviderUnavailable when it cannot be known whether the tenant has the key.
        """
        verified = await self.genuine(token)
        now = self._now()
        if now < verified.not_before - LEEWAY:
            raise InvalidToken
        if now >= verified.expires + LEEWAY:
            raise TokenExpired
        if verified.issuer != self._issuer:
            raise InvalidIssuer
        if verified.audiences.isdisjoint(audiences):
            raise InvalidAudience
        return verified

    async def genuine(self, token: str) -> Verified:
        """Return what a token of the tenant says, expired or not, whomever it is meant for.

        Raises InvalidToken; and ProviderUnavailable when it cannot be known whether the tenant has the key.
        """
        try:
            digest = hashlib.sha256(token.encode("ascii")).digest()
        except UnicodeEncodeError:
            raise InvalidToken from None
        known = self._remembered.get(digest)
        if known is not None and self._keys.known(known.kid) is known.key:
            self._remembered.move_to_end(digest)
            return known
        verified = await self._verified(token)
        if self._now() < verified.expires + LEEWAY and len(token) <= MAX_REMEMBERED_LENGTH:
            self._remembered[digest] = verified
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return verified

    async def _verified(self, token: str) -> Verified:
        try:
            parts = jws.parse(token)
        except jws.NotAToken:
            raise InvalidToken from None
        kid = parts.header.get("kid")
        # The header's own keys (`jwk`, `jku`, `x5c`, `x5u`) are never looked at; `crit` asks for what is unknown here.
        if parts.header.get("alg") != "RS256" or "crit" in parts.header or not isinstance(kid, str) or not kid:
            raise InvalidToken
        claims = _sound(parts.claims)
        key = await self._keys.find(kid)
        try:
            genuine = key.verify(parts.signed, parts.signature)
        except Exception:  # noqa: BLE001 - python-jose raises whatever its parts raise: not genuine
            genuine = False
        if not genuine:
            raise InvalidToken
        audience = claims.get("aud")
        scopes = claims.get("scope")
        return Verified(
            subject=claims["sub"],
            issuer=claims["iss"] if isinstance(claims.get("iss"), str) else "",
            audiences=frozenset(
                word for word in (audience if isinstance(audience, list) else [audience]) if isinstance(word, str)
            ),
            scopes=frozenset(scopes.split(" ")) if isinstance(scopes, str) else frozenset(),
            expires=float(claims["exp"]),
            not_before=float(claims.get("nbf", -math.inf)),
            may_impersonate=claims.get(MAY_IMPERSONATE) is True,
            kid=kid,
            key=key,
        )


def _sound(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims when those that are needed are there and of their types (RFC 7519, section 4.1)."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip():
        raise InvalidToken
    if not _is_moment(claims.get("exp")) or ("nbf" in claims and not _is_moment(claims["nbf"])):
        raise InvalidToken
    return claims


def _is_moment(value: object) -> bool:
    """Whether `value` is a NumericDate that a clock can be compared with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**53 and math.isfinite(value)
