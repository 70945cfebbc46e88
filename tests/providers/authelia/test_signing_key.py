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
from pydantic import SecretStr

from app.domain.errors import InvalidIdentityToken, ProviderUnavailable
from providers.authelia.codes.signing import KEY_NAME, NotASigningKey, SigningKey, keys_of, parse_key
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket
from tests.support.virtual_time import in_virtual_time, now

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


class Store:
    """A bucket that may be lost and made anew, away, or without an answer."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.lose()
        self.away = self.hangs = False

    def lose(self) -> None:
        self.bucket = MemoryBucket(self._seed, Clock())

    async def opened(self) -> MemoryBucket:
        if self.away:
            raise ProviderUnavailable
        if self.hangs:
            await asyncio.Event().wait()
        return self.bucket

    def replica(self) -> SigningKey:
        return SigningKey(None, self.opened, Clock())

    async def write(self, value: bytes) -> None:
        await self.bucket.put(KEY_NAME, value, (await self.bucket.get(KEY_NAME)).revision)

    async def remove(self) -> None:
        await self.bucket.delete(KEY_NAME, (await self.bucket.get(KEY_NAME)).revision)


async def secrets_of(*replicas: SigningKey) -> set[str]:
    made = {(await one.keys()).code_key.hex() for one in replicas}
    assert made == {one.secret() for one in replicas}
    return made


@pytest.mark.parametrize("lost", [True, False], ids=["the bucket", "the value"])
async def test_a_key_that_is_gone_is_put_back_by_one_who_has_it(lost):
    store = Store()
    older = store.replica()
    before = await secrets_of(older)
    store.lose() if lost else await store.remove()
    assert await secrets_of(older, store.replica()) == before


@pytest.mark.parametrize("seed", range(5))
async def test_after_a_loss_those_who_start_and_those_who_have_the_key_agree(seed):
    store = Store(seed)
    older = [store.replica(), store.replica()]
    await secrets_of(*older)
    store.lose()
    everybody = [*older, store.replica(), store.replica()]
    await asyncio.gather(*(one.keys() for one in everybody))
    assert len(await secrets_of(*everybody)) == 1


async def test_another_key_is_taken_over_also_at_the_revision_of_the_former(key):
    store = Store()
    one, two = store.replica(), store.replica()
    await secrets_of(one, two)
    revision = (await store.bucket.get(KEY_NAME)).revision
    store.lose()
    await store.write(bits(key))
    assert (await store.bucket.get(KEY_NAME)).revision == revision
    assert await secrets_of(one, two) == {keys_of(key, Clock()).code_key.hex()}
    assert (await one.keys()).tokens.check((await two.keys()).tokens.issue("a@b.org")).address == "a@b.org"


@pytest.mark.parametrize("how", ["away", "hangs"])
@in_virtual_time
async def test_while_the_bucket_cannot_be_read_the_key_goes_on(how, key):
    store = Store()
    await store.write(bits(key))
    one = store.replica()
    before = await one.keys()
    setattr(store, how, True)
    assert await one.keys() is before
    assert now() <= 1.0


async def test_what_is_no_key_leaves_those_alone_who_have_one_and_stays():
    store = Store()
    one = store.replica()
    before = await one.keys()
    await store.write(b"spoilt")
    assert await one.keys() is before
    assert (await store.bucket.get(KEY_NAME)).value == b"spoilt"


async def test_who_was_given_a_key_does_not_ask_for_another(key):
    store = Store()
    store.away = True
    one = SigningKey(SecretStr(bits(key).decode()), store.opened, Clock())
    assert await secrets_of(one) == {keys_of(key, Clock()).code_key.hex()}
    store.away = False
    await store.write(bits(new(2048)))
    assert await secrets_of(one) == {keys_of(key, Clock()).code_key.hex()}


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
