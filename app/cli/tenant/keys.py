# SPDX-License-Identifier: MIT
"""The key pair by which the service proves who it is."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jose.utils import base64url_encode, long_to_base64

_BITS: Final = 2048
_EXPONENT: Final = 65_537


class KeyPair:
    """An RSA key."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self.private = private
        public = private.public_key()
        self.public = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.thumbprint = _thumbprint(public)
        """RFC 7638, SHA-256. Under it as key id the key is registered, since the tenant shows no key itself."""

    @classmethod
    def generated(cls) -> KeyPair:
        """Make a new one."""
        return cls(rsa.generate_private_key(_EXPONENT, _BITS))

    @property
    def pem(self) -> str:
        """The private half, PKCS#8."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def write(self, path: Path) -> None:
        """Write the private half to a new file that only its owner may read: the whole of it, or no file at all.

        Raises OSError, FileExistsError too.
        """
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(self.pem)
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename this takes nobody's place.
            os.link(unfinished, path)
        finally:
            Path(unfinished).unlink()


def _thumbprint(key: rsa.RSAPublicKey) -> str:
    numbers = key.public_numbers()
    e, n = (long_to_base64(number).decode() for number in (numbers.e, numbers.n))
    members = {"e": e, "kty": "RSA", "n": n}
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    thumbprint: bytes = base64url_encode(hashlib.sha256(canonical.encode()).digest())
    return thumbprint.decode()
