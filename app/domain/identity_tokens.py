# SPDX-License-Identifier: MIT
"""Identity tokens: reading any token, and the service's own ones, which prove that it verified an address."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jose import jwk, jwt
from pydantic_core import from_json

from app.domain.addresses import parse_address
from app.domain.errors import InvalidIdentityToken
from app.domain.users import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from app.domain.users import Address

    Clock = Callable[[], float]
    """Unix seconds."""

MAX_TOKEN: Final = 16 * 1024
"""Maximum number of characters of a token."""

LIFETIME: Final = 3600
"""Seconds for which an identity token of this service is valid."""

ISSUER: Final = "lfx-v2-auth-service"
_SEGMENTS: Final = 3


def unverified_claims(token: str) -> dict[str, Any] | None:
    """Return the claims of a compact JWT (RFC 7519, section 3) without verification, None if it is not a JWT."""
    segments = token.split(".") if len(token) <= MAX_TOKEN else ()
    if len(segments) != _SEGMENTS:
        return None
    try:
        # Strict where the standard library is not: half a surrogate pair or a NaN in a claim would be told again later.
        header, claims = (
            from_json(urlsafe_b64decode(part + "=" * (-len(part) % 4)), allow_inf_nan=False)
            for part in segments[: _SEGMENTS - 1]
        )
    except ValueError:
        return None
    return claims if isinstance(header, dict) and isinstance(claims, dict) else None


def unverified_subject(token: str) -> str:
    """Return the `sub` of a JWT without verification, the empty string if there is none."""
    subject = (unverified_claims(token) or {}).get("sub")
    return subject.strip() if isinstance(subject, str) else ""


@dataclass(frozen=True, slots=True)
class EmailProof:
    """The content of an identity token of this service: the address, and an id that can be used once."""

    address: Address
    jti: str


class IdentityTokens:
    """Issues and checks the service's own identity tokens (RFC 7519), signed with one asymmetric key."""

    def __init__(
        self, private_key: PrivateKeyTypes | str, public_key: PublicKeyTypes | str, algorithm: str, now: Clock
    ) -> None:
        """Take the key pair (PEM where it is text), the JWS algorithm that goes with it (RFC 7518), and the clock."""
        # Read once: to load an RSA key takes longer than 20 signatures, and nothing else would be done meanwhile.
        self._private_key = jwk.construct(private_key, algorithm)
        self._public_key = jwk.construct(public_key, algorithm)
        self._algorithm = algorithm
        self._now = now

    def issue(self, address: Address) -> str:
        """Return a token that proves `address` for an hour."""
        issued = int(self._now())
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": f"{EMAIL}|{address}",
            "email": address,
            "email_verified": True,
            "iat": issued,
            "exp": issued + LIFETIME,
            "jti": uuid.uuid4().hex,
        }
        return str(jwt.encode(claims, self._private_key, algorithm=self._algorithm))

    def check(self, token: str) -> EmailProof:
        """Return what the token proves.

        Raises:
            InvalidIdentityToken: not signed by this service, not for this purpose, or expired.
        """
        if len(token) > MAX_TOKEN:
            raise InvalidIdentityToken
        # Not `exp`: what is required is verified too, and python-jose knows no clock but the machine's.
        required = {f"require_{claim}": True for claim in ("aud", "iat", "iss", "jti", "sub")}
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=[self._algorithm],
                audience=ISSUER,
                issuer=ISSUER,
                options={**required, "verify_exp": False},
            )
            provider, _, address = claims["sub"].partition("|")
            expires, jti = int(claims["exp"]), claims["jti"]
        except Exception as error:  # python-jose raises more than JWTError on hostile input
            raise InvalidIdentityToken from error
        genuine = provider == EMAIL and claims.get("email") == address and claims.get("email_verified") is True
        if not genuine or expires <= self._now():
            raise InvalidIdentityToken
        return EmailProof(parse_address(address, InvalidIdentityToken), jti)
