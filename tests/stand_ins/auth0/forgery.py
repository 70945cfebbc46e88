# SPDX-License-Identifier: MIT
"""Tokens that attack a verifier (RFC 8725): each must be refused."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from tests.stand_ins.auth0.keys import b64url, compact, parsed, rsa_key
from tests.stand_ins.auth0.tokens import PROFILE_CLIENT, USER_SCOPES

if TYPE_CHECKING:
    from tests.stand_ins.auth0.tokens import Tokens

FOREIGN: Final = "foreign-key"


def hs256(secret: bytes, claims: dict[str, Any], **header: Any) -> str:
    """Return a token signed with HS256, the secret being whatever the verifier might hold."""
    signed = compact({"alg": "HS256", "typ": "JWT", **header}, claims)
    return f"{signed}.{b64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def attacks(tokens: Tokens, subject: str) -> dict[str, str]:
    """Return a token for each attack, as the user `subject` would hold it if it were genuine."""
    key, foreign = tokens.keys.current, rsa_key(FOREIGN)
    good = tokens.access(subject)
    claims = parsed(good)[1]
    head, body, signature = good.split(".")
    stolen = foreign.under(key.kid)
    made = {
        "alg none": f"{compact({'alg': 'none', 'typ': 'JWT', 'kid': key.kid}, claims)}.",
        "alg None, a signature": f"{compact({'alg': 'None', 'kid': key.kid}, claims)}.{signature}",
        "no alg": key.sign(claims, alg=None),
        "HS256 with the public key, PEM": hs256(key.public(Encoding.PEM), claims, kid=key.kid),
        "HS256 with the public key, DER": hs256(key.public(Encoding.DER), claims, kid=key.kid),
        "HS256 with the modulus": hs256(key.jwk["n"].encode(), claims, kid=key.kid),
        "RS512 in the header": key.sign(claims, alg="RS512"),
        "a foreign key under a known kid": stolen.sign(claims),
        "an embedded jwk": stolen.sign(claims, jwk=foreign.under(key.kid).jwk),
        "an embedded jwk under its own kid": foreign.sign(claims, jwk=foreign.jwk),
        "a jku": foreign.sign(claims, jku="https://attacker.example/jwks.json"),
        "an x5u": foreign.sign(claims, x5u="https://attacker.example/cert.pem"),
        "an unknown kid": foreign.under("nobody-knows").sign(claims),
        "no kid": key.sign(claims, kid=None),
        "crit": key.sign(claims, crit=["exp"]),
        "crit of something unknown": key.sign(claims, crit=["x"], x=True),
        "claims exchanged": f"{head}.{compact({}, {**claims, 'sub': 'auth0|linus_t'}).split('.')[1]}.{signature}",
        "another signature": f"{head}.{body}.{b64url(b'0' * 256)}",
        "no signature": f"{head}.{body}.",
        "padding": f"{head}.{body}.{signature}==",
        "a line feed inside": f"{head}.{body}.{signature}\n{signature}",
    }
    return {**made, **_misused(tokens, subject)}


def _misused(tokens: Tokens, subject: str) -> dict[str, str]:
    """Return genuine tokens of the tenant that are not for this purpose."""
    return {
        "an ID token": tokens.id(subject, scope=" ".join(USER_SCOPES)),
        "another issuer": tokens.access(subject, iss="https://attacker.example/"),
        "the issuer without slash": tokens.access(subject, iss=tokens.issuer.rstrip("/")),
        "no issuer": tokens.access(subject, iss=None),
        "another audience": tokens.access(subject, aud="https://api.example/"),
        "no audience": tokens.access(subject, aud=None),
        "the client as audience": tokens.access(subject, aud=PROFILE_CLIENT),
        "no expiry": tokens.access(subject, exp=None),
        "a text as expiry": tokens.access(subject, exp="never"),
        "no subject": tokens.access(subject, sub=None),
        "an empty subject": tokens.access(subject, sub=""),
        "a number as subject": tokens.access(subject, sub=5),
    }
