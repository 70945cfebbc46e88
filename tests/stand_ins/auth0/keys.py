# SPDX-License-Identifier: MIT
"""RSA keys and compact signed tokens (RFC 7515, 7517, 7519), by hand, so that any of it can be made wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache, cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def b64url(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """Return the bytes of base64url without padding; ValueError for anything else."""
    if "=" in text:
        raise ValueError("padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def compact(header: dict[str, Any], claims: object) -> str:
    """Return the first two parts of a token."""
    return ".".join(b64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def parsed(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token, unverified; ValueError when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not three parts")
    header, claims = (json.loads(unb64url(part)) for part in parts[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("not two objects")  # noqa: TRY004 - the caller asks whether it is a token
    return header, claims


class Key:
    """An RSA key under a key id."""

    def __init__(self, kid: str, private: rsa.RSAPrivateKey) -> None:
        self.kid = kid
        self.private = private

    def under(self, kid: str) -> Key:
        """Return the same key under another key id."""
        return Key(kid, self.private)

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK, as in a tenant's key set."""
        numbers = self.private.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        thumbprint = b64url(hashlib.sha1(modulus, usedforsecurity=False).digest())
        fields = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "x5t": thumbprint}
        return {**fields, "n": b64url(modulus), "e": b64url(numbers.e.to_bytes(3, "big"))}

    @cached_property
    def pem(self) -> bytes:
        """The private key, PKCS#8."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @cached_property
    def pkcs1(self) -> bytes:
        """The private key, PKCS#1."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    def public(self, encoding: serialization.Encoding) -> bytes:
        """The public key, PEM or DER."""
        return self.private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, claims: object, **header: Any) -> str:
        """Return a token signed with RS256; `header` adds to or overrides the header, None removes a field."""
        fields = {"alg": "RS256", "typ": "JWT", "kid": self.kid, **header}
        signed = compact({name: value for name, value in fields.items() if value is not None}, claims)
        return f"{signed}.{b64url(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def signed(self, token: str) -> bool:
        """Whether this key signed the token."""
        return verifies(self.private.public_key(), token)


def verifies(key: rsa.RSAPublicKey, token: str) -> bool:
    """Whether the token was signed with the private half of that key, with RS256."""
    content, _, signature = token.rpartition(".")
    try:
        key.verify(unb64url(signature), content.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


@cache
def rsa_key(name: str) -> Key:
    """Return the key of that name, which is also its key id; made once in a process, for that takes a while."""
    return Key(name, rsa.generate_private_key(public_exponent=65537, key_size=2048))


class KeySet:
    """The tenant's signing keys: one that signs, and those that are published."""

    def __init__(self) -> None:
        self.generation = 1
        self.current = rsa_key("tenant-key-1")
        self.published: list[Key] = [self.current]
        self.extra: list[dict[str, Any]] = []
        """Further entries of the key set, as they stand: keys of other types, for other uses, broken ones."""

    def rotate(self, *, revoke: bool = False, publish: bool = True) -> Key:
        """Sign with a new key from now on; `revoke`: the old ones are published no more."""
        self.generation += 1
        self.current = rsa_key(f"tenant-key-{self.generation}")
        self.published = [*([] if revoke else self.published), *([self.current] if publish else [])]
        return self.current

    def document(self) -> dict[str, Any]:
        """The key set as published."""
        return {"keys": [*(key.jwk for key in self.published), *self.extra]}

    def signed(self, token: str) -> bool:
        """Whether one of the tenant's keys signed the token, with RS256."""
        try:
            header, _ = parsed(token)
        except ValueError:
            return False
        candidates = [*self.published, self.current]
        return header.get("alg") == "RS256" and any(
            key.signed(token) for key in candidates if key.kid == header.get("kid")
        )
