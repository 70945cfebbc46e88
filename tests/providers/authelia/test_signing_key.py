# SPDX-License-Identifier: MIT
"""The key of identity tokens: all replicas have one, and the key of the codes' hash comes of it."""

from __future__ import annotations

import asyncio
import base64
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.domain.errors import InvalidIdentityToken, ProviderUnavailable
from providers.authelia.codes.signing import KEY_NAME, NotASigningKey, SigningKey, keys_of, parse_key
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket

INFO = b"lfx-v2-auth-service one-time codes"


def bits(key, encoding=Encoding.PEM) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())


def new(size: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return new(2048)


def test_the_key_of_codes_is_derived_as_rfc_5869_says(key):
    extracted = hmac.digest(bytes(32), bits(key, Encoding.DER), "sha256")
    assert keys_of(key, Clock()).code_key == hmac.digest(extracted, INFO + b"\x01", "sha256")


@pytest.mark.parametrize("seed", range(3))
async def test_replicas_that_start_at_once_have_one_key_and_so_has_whoever_comes_later(seed):
    bucket = MemoryBucket(seed, Clock())
    first, second, later = (SigningKey(None, bucket.opened, Clock()) for _ in range(3))
    assert first.secret() == ""
    await asyncio.gather(first.keys(), second.keys())
    entry = await bucket.get(KEY_NAME)
    await later.keys()
    assert (await bucket.get(KEY_NAME)).revision == entry.revision
    stored = load_pem_private_key(entry.value, password=None)
    assert stored.key_size == 2048
    assert {one.secret() for one in (first, second, later)} == {keys_of(stored, Clock()).code_key.hex()}


async def test_identity_tokens_are_valid_by_the_clock_that_is_given(key):
    clock = Clock()
    bucket = MemoryBucket(0, clock)
    await bucket.put(KEY_NAME, bits(key), 0)
    tokens = (await SigningKey(None, bucket.opened, clock).keys()).tokens
    token = tokens.issue("ada@example.org")
    assert tokens.check(token).address == "ada@example.org"
    clock.now += 100_000
    with pytest.raises(InvalidIdentityToken):
        tokens.check(token)


@pytest.mark.parametrize("value", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
async def test_what_is_no_key_is_an_outage_and_stays(value):
    bucket = MemoryBucket(0, Clock())
    await bucket.put(KEY_NAME, value, 0)
    with pytest.raises(ProviderUnavailable):
        await SigningKey(None, bucket.opened, Clock()).keys()
    assert (await bucket.get(KEY_NAME)).value == value


def test_a_key_is_taken_as_pem_and_as_base64_of_it(key):
    for text in (bits(key).decode(), base64.b64encode(bits(key)).decode()):
        assert parse_key(text).private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (lambda: ec.generate_private_key(ec.SECP521R1()), "at least 2048 bits"),
        (lambda: new(1024), "at least 2048 bits"),
        (lambda: None, "PEM or base64"),
    ],
    ids=["another kind", "too short", "none"],
)
def test_another_key_is_refused_with_the_reason(other, why):
    made = other()
    with pytest.raises(NotASigningKey, match=why):
        parse_key("nonsense" if made is None else bits(made).decode())
