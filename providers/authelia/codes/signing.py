# SPDX-License-Identifier: MIT
"""The key that all replicas sign identity tokens with, made once, and the key of the codes' hash derived from it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.domain.codes import StaleRevision
from app.domain.errors import ProviderUnavailable
from app.domain.identity_tokens import IdentityTokens
from app.settings.secret_texts import pem_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from providers.authelia.storage.kv import Open

KEY_NAME: Final = "signing-key"
_BITS: Final = 2048
_PUBLIC_EXPONENT: Final = 65537
_CODE_KEY_INFO: Final = b"lfx-v2-auth-service one-time codes"
_CODE_KEY_BYTES: Final = 32
_LOOK: Final = 1.0
"""Seconds for a look whether the key is still the same."""


class NotASigningKey(ValueError):
    """That is no RSA private key of at least 2,048 bits."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What signs identity tokens, and the key of the codes' hash."""

    tokens: IdentityTokens
    code_key: bytes


def parse_key(text: str) -> rsa.RSAPrivateKey:
    """Return the key of a PEM text, or of base64 of one. Raises NotASigningKey."""
    try:
        key = serialization.load_pem_private_key(pem_of(text).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NotASigningKey("must be an RSA private key, PEM or base64 of that") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _BITS:
        raise NotASigningKey(f"must be an RSA private key of at least {_BITS} bits")
    return key


def keys_of(key: rsa.RSAPrivateKey, now: Callable[[], float]) -> Keys:
    """Return what is made of the key. The hash's key is derived by HKDF-SHA-256 (RFC 5869) from the key's DER form."""
    secret = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    derived = HKDF(hashes.SHA256(), _CODE_KEY_BYTES, salt=None, info=_CODE_KEY_INFO).derive(secret)
    return Keys(IdentityTokens(key, key.public_key(), "RS256", now), derived)


class SigningKey:
    """Gives the keys: of the setting, or of the bucket, where the first replica puts one.

    The bucket is asked at every use, because the key there may be another one by now: then all replicas use that one.
    If the key is gone, a replica that has it puts it back. While the bucket cannot be read, the last key is used.
    """

    def __init__(self, given: SecretStr | None, bucket: Open, now: Callable[[], float]) -> None:
        """Take the setting, the bucket and the clock (Unix seconds). Raises NotASigningKey."""
        self._bucket = bucket
        self._now = now
        self._is_given = given is not None
        self._keys = None if given is None else keys_of(parse_key(given.get_secret_value()), now)
        # Not its revision: a bucket that was made anew may have another key at the same one.
        self._stored = b""

    def secret(self) -> str:
        """Return what all replicas have and nobody else, once the key is here; until then the empty string."""
        return "" if self._keys is None else self._keys.code_key.hex()

    async def keys(self) -> Keys:
        """Return the keys. Raises ProviderUnavailable while there are none yet."""
        if self._keys is None:
            return await self._shared()
        if not self._is_given:
            with suppress(ProviderUnavailable, TimeoutError):
                async with asyncio.timeout(_LOOK):
                    return await self._shared()
        return self._keys

    async def _shared(self) -> Keys:
        bucket = await self._bucket()
        while True:
            entry = await bucket.get(KEY_NAME)
            if entry.value is not None:
                return self._held(entry.value)
            pem = self._stored or await asyncio.to_thread(_new_pem)
            try:
                await bucket.put(KEY_NAME, pem, entry.revision)
            except StaleRevision:
                continue
            return self._held(pem)

    def _held(self, stored: bytes) -> Keys:
        if self._keys is None or stored != self._stored:
            try:
                key = parse_key(stored.decode("utf-8", "replace"))
            except NotASigningKey as error:
                raise ProviderUnavailable from error
            self._keys, self._stored = keys_of(key, self._now), stored
        return self._keys


def _new_pem() -> bytes:
    made = rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=_BITS)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
