# SPDX-License-Identifier: MIT
"""Names of users in memory and in messages between replicas: keyed hashes, which reveal nothing to others."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.domain.spellings import comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDTH: Final = 16
"""Bytes of a hash, and of the proof in a message."""

MOST: Final = 64
"""Maximum number of hashes in a message."""

_KEY_BYTES: Final = 32
_PURPOSE: Final = b"lfx.auth-service remembered answers"


class Names:
    """Hashes names with a key: BLAKE2b in its keyed mode (RFC 7693, section 2.9)."""

    def __init__(self, secret: str = "") -> None:
        """Take a secret of all replicas and derive the key from it (HKDF, RFC 5869). Without one the key is random."""
        self.shared = bool(secret)
        if secret:
            self._key = HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.encode())
        else:
            self._key = secrets.token_bytes(_KEY_BYTES)

    def user(self, user_id: str) -> bytes:
        """Return the hash of a subject identifier."""
        return self._hash(b"user", user_id)

    def username(self, username: str) -> bytes:
        """Return the hash of a username."""
        return self._hash(b"name", username)

    def address(self, address: str) -> bytes:
        """Return the hash of an address, the same for all its spellings."""
        return self._hash(b"mail", comparable(address))

    def messages(self, kind: bytes, named: Iterable[bytes]) -> Iterator[bytes]:
        """Yield messages of that kind (one byte) for other replicas: the kind, a proof of the key, the hashes."""
        hashed = list(named)
        for start in range(0, len(hashed) or 1, MOST):
            body = b"".join(hashed[start : start + MOST])
            yield kind + self._proof(kind, body) + body

    def understood(self, message: bytes) -> tuple[bytes, list[bytes]] | None:
        """Return kind and hashes of a message from a sender with the key, None for any other message."""
        if len(message) > 1 + WIDTH + MOST * WIDTH:
            return None
        kind, proof, body = message[:1], message[1 : 1 + WIDTH], message[1 + WIDTH :]
        if len(body) % WIDTH or not compare_digest(proof, self._proof(kind, body)):
            return None
        return kind, [body[at : at + WIDTH] for at in range(0, len(body), WIDTH)]

    def _hash(self, kind: bytes, name: str) -> bytes:
        text = name.encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=WIDTH, key=self._key, person=kind).digest()

    def _proof(self, kind: bytes, body: bytes) -> bytes:
        return blake2b(kind + body, digest_size=WIDTH, key=self._key, person=b"message").digest()
