# SPDX-License-Identifier: MIT
"""How codes, used tokens and the signing key are kept in buckets, and what becomes of them when those are full."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretStr

from app.domain.codes import Code, Ledger, LedgerFull, StaleRevision
from app.domain.errors import InvalidIdentityToken, ProviderUnavailable, TooManyCodes, VerificationMailFailed, WrongCode
from app.domain.identity_tokens import ISSUER, unverified_claims
from app.domain.users import Address
from providers.authelia.codes.sends import KEY, AllSends
from providers.authelia.codes.signing import KEY_NAME, NotASigningKey, SigningKey, keys_of, parse_key
from providers.authelia.codes.store import AutheliaVerification, KvCodeStore
from providers.authelia.codes.used_tokens import UsedTokens
from providers.authelia.storage.kv import StorageFull
from tests.stand_ins.auth0.keys import rsa_key
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket

ADA = Address("ada@example.org")
KEY_OF_ADA = hashlib.sha256(b"ada@example.org").hexdigest()
PEM = rsa_key("authelia").pem.decode()


class Bucket(MemoryBucket):
    """A bucket that can be full for what is new, or for everything."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(0, clock)
        self.full = self.takes_nothing = False

    async def put(self, key: str, value: bytes, revision: int) -> int:
        if self.takes_nothing:
            raise StorageFull
        return await super().put(key, value, revision)

    async def add(self, key: str, value: bytes, revision: int) -> int:
        if self.full:
            raise StorageFull
        return await super().add(key, value, revision)

    async def has_room(self) -> bool:
        return not self.full

    async def write(self, key: str, value: object) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self.put(key, data, (await self.get(key)).revision)


class World:
    """The store of codes, all that stands around it, and the codes that were mailed."""

    def __init__(self, limit: int = 1000) -> None:
        self.clock = Clock()
        self.codes, self.ledgers, self.keys, self.claims = (Bucket(self.clock) for _ in range(4))
        self.store = KvCodeStore(self.codes.opened, self.ledgers.opened)
        self.sends = AllSends(self.ledgers.opened, limit, self.clock)
        self.signing = SigningKey(SecretStr(PEM), self.keys.opened, self.clock)
        self.mailed: list[tuple[str, str]] = []
        self.verification = AutheliaVerification(self.store, self.sends, self.signing, self, self.clock)

    async def send_code(self, address: Address, code: str) -> None:
        self.mailed.append((address, code))


@pytest.fixture
def world():
    return World()


async def test_a_code_is_kept_as_it_is_under_the_hash_of_its_address(world):
    assert await world.store.load_code(ADA) == (None, 0)
    await world.store.save_code(ADA, Code("0d", 17.5, 0), None)
    assert list(world.codes._entries) == [KEY_OF_ADA]  # noqa: SLF001
    assert json.loads((await world.codes.get(KEY_OF_ADA)).value) == {"digest": "0d", "expires_at": 17.5, "guesses": 0}
    code, revision = await world.store.load_code(ADA)
    assert (code, revision) == (Code("0d", 17.5, 0), 1)
    with pytest.raises(StaleRevision):
        await world.store.save_code(ADA, code, None)
    await world.store.save_code(ADA, None, revision)
    assert (await world.store.load_code(ADA))[0] is None


async def test_a_ledger_is_kept_as_it_is(world):
    assert await world.store.load_ledger(ADA) == (Ledger(), 0)
    kept = Ledger((1.0, 2.5), 7, 9.5)
    await world.store.save_ledger(ADA, kept, None)
    assert json.loads((await world.ledgers.get(KEY_OF_ADA)).value) == {
        "sends": [1.0, 2.5],
        "guesses": 7,
        "locked_until": 9.5,
    }
    assert await world.store.load_ledger(ADA) == (kept, 1)
    with pytest.raises(StaleRevision):
        await world.store.save_ledger(ADA, kept, None)


CODES = [
    b"{",
    [],
    {},
    {"digest": "d", "expires_at": 1},
    {"digest": "d", "guesses": 1},
    {"expires_at": 1, "guesses": 1},
    {"digest": "0d", "expires_at": "never", "guesses": 1},
    {"digest": "0d", "expires_at": None, "guesses": 1},
    {"digest": "0d", "expires_at": 1, "guesses": []},
    {"digest": "é", "expires_at": 1, "guesses": 1},
    {"digest": "d", "expires_at": 1, "guesses": 1},
    {"digest": 13, "expires_at": 1, "guesses": 1},
]


@pytest.mark.parametrize("record", CODES, ids=repr)
async def test_what_is_no_code_is_none_and_can_be_replaced(world, record):
    await world.codes.write(KEY_OF_ADA, record)
    assert await world.store.load_code(ADA) == (None, 1)
    await world.store.save_code(ADA, Code("0d", 1.0), 1)
    assert (await world.store.load_code(ADA))[0] == Code("0d", 1.0, 0)


LEDGERS = [
    b"{",
    {},
    {"sends": 5, "guesses": 1, "locked_until": 0},
    {"sends": ["x"], "guesses": 1, "locked_until": 0},
    {"sends": [], "guesses": "x", "locked_until": 0},
    {"sends": [], "guesses": 1, "locked_until": None},
    {"sends": [], "guesses": 1},
]


@pytest.mark.parametrize("record", LEDGERS, ids=repr)
async def test_what_is_no_ledger_is_an_empty_one(world, record):
    await world.ledgers.write(KEY_OF_ADA, record)
    assert await world.store.load_ledger(ADA) == (Ledger(), 1)


async def test_in_a_full_bucket_guesses_are_kept_and_new_codes_are_not(world):
    await world.store.save_code(ADA, Code("0d", 1.0), None)
    world.codes.full = True
    with pytest.raises(StorageFull):
        await world.store.save_code(ADA, Code("0e", 1.0, 0), 1)
    await world.store.save_code(ADA, Code("0d", 1.0, 1), 1)
    assert (await world.store.load_code(ADA))[0] == Code("0d", 1.0, 1)


async def test_in_a_full_bucket_ledgers_are_changed_and_new_ones_are_not_made(world):
    await world.store.save_ledger(ADA, Ledger((1.0,)), None)
    world.ledgers.full = True
    await world.store.save_ledger(ADA, Ledger((1.0, 2.0)), 1)
    with pytest.raises(LedgerFull):
        await world.store.save_ledger(Address("eda@example.org"), Ledger((1.0,)), None)
    world.ledgers.takes_nothing = True
    with pytest.raises(LedgerFull):
        await world.store.save_ledger(ADA, Ledger(), 2)


@pytest.mark.parametrize("which", ["codes", "ledgers"])
async def test_in_a_full_bucket_no_code_is_sent_and_none_counts(world, which):
    getattr(world, which).full = True
    with pytest.raises(StorageFull):
        await world.store.refuse_when_full()
    with pytest.raises(VerificationMailFailed):
        await world.verification.send_code(ADA)
    assert (world.mailed, world.codes._entries, world.ledgers._entries) == ([], {}, {})  # noqa: SLF001


async def test_a_code_is_mailed_counted_and_exchanged_once(world):
    await world.verification.send_code(ADA)
    [(address, code)] = world.mailed
    assert address == ADA
    assert json.loads((await world.ledgers.get(KEY)).value) == {"sends": [[1_900_000_000, 1]]}
    with pytest.raises(WrongCode):
        await world.verification.redeem(ADA, "000000" if code != "000000" else "111111")
    verified = await world.verification.redeem(ADA, code)
    assert (verified.token_type, verified.expires_in) == ("Bearer", 3600)
    claims = unverified_claims(verified.id_token)
    assert (claims["email"], claims["iss"], claims["iat"]) == (ADA, ISSUER, 1_900_000_000)
    assert (await world.signing.keys()).tokens.check(verified.id_token).address == ADA


async def test_a_bound_on_all_sends_is_asked_before_anything_is_counted():
    world = World(limit=1)
    await world.verification.send_code(ADA)
    eda = Address("eda@example.org")
    with pytest.raises(TooManyCodes):
        await world.verification.send_code(eda)
    assert await world.store.load_ledger(eda) == (Ledger(), 0)
    assert len(world.mailed) == 1


async def test_a_bound_that_is_reached_meanwhile_holds_too():
    world = World(limit=1)
    outcomes = await asyncio.gather(
        *(world.verification.send_code(Address(f"{n}@example.org")) for n in range(5)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType"] + ["TooManyCodes"] * 4
    assert len(world.mailed) == 1


# --- used tokens ----------------------------------------------------------------------------------


def used(world) -> UsedTokens:
    return UsedTokens(world.claims.opened)


async def test_a_token_links_once(world):
    tokens = used(world)
    await tokens.begin("j", "ada")
    key = "jti/" + hashlib.sha256(b"j").hexdigest()
    assert json.loads((await world.claims.get(key)).value) == {"username": "ada", "state": "at work"}
    await tokens.begin("j", "ada")  # cut off, and here again
    with pytest.raises(InvalidIdentityToken):
        await tokens.begin("j", "grace")
    await tokens.begin("other", "grace")
    await tokens.finish("j", "ada")
    assert json.loads((await world.claims.get(key)).value) == {"username": "ada", "state": "used"}
    for name in ("ada", "grace"):
        with pytest.raises(InvalidIdentityToken):
            await tokens.begin("j", name)


async def test_a_token_that_has_not_linked_can_be_used_by_whoever_has_it(world):
    tokens = used(world)
    begun = await tokens.begin("j", "ada")
    await tokens.forget("j", begun)
    await tokens.begin("j", "grace")


async def test_of_a_token_that_is_sent_twice_at_once_no_failure_takes_back_what_the_other_noted(world):
    """Ada's first request links; then she unlinks, and somebody else claims the address before her second one does."""
    tokens = used(world)
    first, second = await tokens.begin("j", "ada"), await tokens.begin("j", "ada")
    await tokens.forget("j", second)
    with pytest.raises(InvalidIdentityToken):
        await tokens.begin("j", "grace")  # the first may be at work
    await tokens.finish("j", "ada")
    for begun in (first, second):
        await tokens.forget("j", begun)
        for name in ("ada", "grace"):
            with pytest.raises(InvalidIdentityToken):
                await tokens.begin("j", name)


@pytest.mark.parametrize("note", [b"", b"null", b"[]", b"{", b"\xff", b'{"username": "ada"}'])
async def test_a_token_whose_note_cannot_be_read_links_no_more_and_the_note_stays(world, note):
    key = "jti/" + hashlib.sha256(b"j").hexdigest()
    await world.claims.put(key, note, 0)
    with pytest.raises(InvalidIdentityToken):
        await used(world).begin("j", "ada")
    assert (await world.claims.get(key)).value == note


async def test_of_two_accounts_that_begin_at_once_one_does(world):
    outcomes = await asyncio.gather(
        *(used(world).begin("j", name) for name in ("ada", "grace", "linus")), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["InvalidIdentityToken"] * 2 + ["int"]


class Meanwhile(Bucket):
    """A bucket in which somebody else writes the same between the next read and the write after it."""

    times = 0

    async def get(self, key: str):
        entry = await super().get(key)
        if self.times and entry.value is not None:
            self.times -= 1
            await super().put(key, entry.value, entry.revision)
        return entry


async def test_that_a_token_has_linked_is_noted_whatever_is_written_meanwhile(world):
    world.claims = Meanwhile(world.clock)
    tokens = used(world)
    await tokens.begin("j", "ada")
    world.claims.times = 3
    await tokens.finish("j", "ada")
    with pytest.raises(InvalidIdentityToken):
        await tokens.begin("j", "ada")


async def test_a_note_that_is_written_meanwhile_is_not_taken_back(world):
    world.claims = Meanwhile(world.clock)
    tokens = used(world)
    begun = await tokens.begin("j", "ada")
    world.claims.times = 1
    await world.claims.get("jti/" + hashlib.sha256(b"j").hexdigest())
    await tokens.forget("j", begun)
    with pytest.raises(InvalidIdentityToken):
        await tokens.begin("j", "grace")


async def test_a_new_note_needs_room(world):
    world.claims.full = True
    with pytest.raises(StorageFull):
        await used(world).begin("j", "ada")


# --- the signing key --------------------------------------------------------------------------------


async def test_the_first_replica_makes_the_key_and_all_have_the_same(world):
    clock, bucket = world.clock, world.keys
    signing = [SigningKey(None, bucket.opened, clock) for _ in range(3)]
    assert [one.secret() for one in signing] == ["", "", ""]
    await asyncio.gather(*(one.keys() for one in signing))
    assert list(bucket._entries) == ["signing-key"]  # noqa: SLF001
    (secret,) = {one.secret() for one in signing}
    assert len(secret) == 64
    token = (await signing[0].keys()).tokens.issue(ADA)
    assert (await signing[2].keys()).tokens.check(token).address == ADA
    assert await signing[0].keys() is await signing[0].keys()
    stored = parse_key((await bucket.get(KEY_NAME)).value.decode())
    assert (stored.key_size, stored.public_key().public_numbers().e) == (2048, 65537)
    assert keys_of(stored, clock).code_key.hex() == secret


async def test_codes_and_proofs_are_right_at_every_replica_also_after_another_one_has_made_a_new_key(world):
    signing = [SigningKey(None, world.keys.opened, world.clock) for _ in range(3)]
    replicas = [AutheliaVerification(world.store, world.sends, one, world, world.clock) for one in signing]
    older = {(await one.keys()).code_key for one in signing[:2]}
    await world.keys.delete(KEY_NAME, (await world.keys.get(KEY_NAME)).revision)
    assert (await signing[2].keys()).code_key not in older
    for at in range(3):
        await replicas[at].send_code(ADA)
        verified = await replicas[at - 1].redeem(ADA, world.mailed.pop()[1])
        assert (await signing[at - 2].keys()).tokens.check(verified.id_token).address == ADA


async def test_the_key_of_the_setting_is_not_looked_for_in_the_bucket(world):
    await world.signing.keys()
    assert world.keys._entries == {}  # noqa: SLF001
    assert world.signing.secret() == (await world.signing.keys()).code_key.hex()


async def test_what_is_no_key_in_the_bucket_is_the_providers_fault_and_stays(world):
    await world.keys.write(KEY_NAME, b"\xff no key")
    with pytest.raises(ProviderUnavailable) as raised:
        await SigningKey(None, world.keys.opened, world.clock).keys()
    assert isinstance(raised.value.__cause__, NotASigningKey)
    assert (await world.keys.get(KEY_NAME)).value == b"\xff no key"


async def test_the_key_of_the_hash_is_derived_and_reads_what_was_hashed_before(world):
    """A replica of another version must know the codes that this one has sent."""
    one, same = (
        keys_of(parse_key(PEM), world.clock),
        keys_of(parse_key(rsa_key("authelia").pkcs1.decode()), world.clock),
    )
    assert one.code_key == same.code_key
    der = load_pem_private_key(PEM.encode(), None).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    extracted = hmac.digest(bytes(32), der, "sha256")  # RFC 5869, without a salt
    assert one.code_key == hmac.digest(extracted, b"lfx-v2-auth-service one-time codes\x01", "sha256")
