# SPDX-License-Identifier: MIT
"""Users in a bucket in memory: who is found by which address, who gets one, and what is left behind."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from app.domain.codes import StaleRevision
from app.domain.errors import EmailAlreadyLinked, NotLinked, ProviderUnavailable, UserNotFound
from app.domain.users import Address
from providers.authelia.cluster.imports import Imports
from providers.authelia.cluster.users_file import UsersFile
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.claims import claimed
from providers.authelia.storage.kv import Entry, StorageFull, Unreadable
from providers.authelia.storage.moved import MovedBucket, moved
from providers.authelia.storage.records import email_key, subject_key
from providers.authelia.storage.social import SocialClaims, without_social
from providers.authelia.storage.users import AddressHeld, Users
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket

ADA, NEW = Address("ada@example.org"), Address("new@example.org")
ODD = Address("jörg@bücher.example")
AS_LABELS = "jörg@xn--bcher-kva.example"


class World:
    """Users on a bucket, in which Ada and Grace have been for long; keeps what changes are told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.bucket, self.claims = MemoryBucket(0, self.clock), MemoryBucket(0, self.clock)
        self.noted: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.users = Users(self.bucket.opened, self.clock, self.clock, self)
        self.social = SocialClaims(self.users, self.claims.opened, self.clock)
        self.full = False

    def note(self, *user_ids: str, addresses: Any = ()) -> None:
        self.noted.append((user_ids, tuple(addresses)))

    async def write(self, key: str, value: Any, age: float = 0.0) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.clock.now -= age
        await self.bucket.put(key, data, (await self.bucket.get(key)).revision)
        self.clock.now += age

    async def points(self, address: str) -> str | None:
        value = (await self.bucket.get(email_key(address))).value
        return None if value is None else value.decode()

    async def has(self, username: str) -> list[str]:
        return [*records.held(await self.users.get(username))]

    async def holder(self, address: str) -> str | None:
        found = await self.users.holder(Address(address))
        return None if found is None else found[0]


@pytest.fixture
async def world():
    made = World()
    for name in ("ada", "grace"):
        await made.users.create(name, Address(f"{name}@example.org"), name.title())
    made.noted.clear()
    made.clock.now += 120
    return made


async def test_a_new_user_stands_there_with_all_by_which_they_are_found(world):
    assert await world.users.create("linus", NEW, "Linus") is True
    stored = json.loads((await world.bucket.get("linus")).value)
    assert stored == {
        "username": "linus",
        "sub": "",
        "email": "new@example.org",
        "displayname": "Linus",
        "user_metadata": {},
        "alternate_email": [],
        "identities": [],
        "created_at": "2030-03-17T17:48:40Z",
        "updated_at": "2030-03-17T17:48:40Z",
    }
    assert await world.points(NEW) == "linus"
    assert (await world.bucket.get(subject_key("auth0|linus"))).value == b"linus"
    assert await world.users.usernames() == ["ada", "grace", "linus"]
    assert world.noted == [((), (NEW,)), (("auth0|linus",), (NEW,))]


async def test_who_is_there_already_or_can_be_no_key_is_not_made(world):
    assert await world.users.create("ada", NEW, "Ada") is False
    for name in ("_kv", "lookup/x", "a b", "", "a..b"):
        assert await world.users.create(name, NEW, "x") is False
        with pytest.raises(UserNotFound):
            await world.users.get(name)
    assert await world.points(NEW) is None
    assert await world.users.create("nobody", Address(""), "x") is True
    with pytest.raises(AddressHeld):
        await world.users.create("linus", ADA, "Linus")
    assert await world.users.find("linus") is None


@pytest.mark.parametrize("refusal", [StorageFull, StaleRevision])
async def test_whoever_is_not_made_or_gets_no_address_after_all_claims_none(world, refusal):
    """There is room for the lookup keys, which are small, and not for the record; or another replica was first."""
    put = world.bucket.put
    await world.write("linus", json.dumps({"username": "linus", "email": ""}).encode())

    async def full(key: str, *rest: Any) -> int:
        if not key.startswith("lookup/"):
            raise refusal
        return await put(key, *rest)

    world.bucket.put = full
    with suppress(StorageFull):
        assert await world.users.create("newcomer", NEW, "Newcomer") is False
    assert await world.points(NEW) is None
    if refusal is StorageFull:
        await Imports(world.users).run(UsersFile(f"users:\n  linus: {{displayname: L, password: x, email: {NEW}}}\n"))
        assert await world.points(NEW) is None


async def test_a_user_for_whom_there_is_no_room_is_not_made_and_counts_as_left_out(world):
    async def full(*_: object) -> int:
        raise StorageFull

    world.bucket.put = full
    with pytest.raises(StorageFull):
        await world.users.create("linus", NEW, "Linus")
    imports = Imports(world.users)
    await imports.run(UsersFile("users:\n  linus: {displayname: Linus, password: x, email: linus@example.org}\n"))
    assert imports.skipped == 1


async def test_a_change_is_written_with_its_moment_and_told(world):
    changed = await world.users.change("ada", lambda record: {**record, "later": 1, "sub": "S"})
    assert changed["later"] == 1
    stored = await world.users.get("ada")
    assert (stored["later"], stored["updated_at"]) == (1, "2030-03-17T17:48:40Z")
    assert world.noted == [(("auth0|ada", "S"), (ADA, ADA))]
    revision = (await world.bucket.get("ada")).revision
    assert await world.users.change("ada", dict) == stored
    assert (await world.bucket.get("ada")).revision == revision
    assert len(world.noted) == 1
    with pytest.raises(UserNotFound):
        await world.users.change("linus", dict)


async def test_whoever_has_an_address_is_found_in_every_spelling(world):
    await world.users.change("ada", lambda r: records.with_verified({**r, "email": "Ada@Example.org "}, ODD))
    await world.users.claim("ada", ODD)
    for spelling in (ODD, AS_LABELS, "JÖRG@BÜCHER.example", "jo\u0308rg@bu\u0308cher.example"):
        assert await world.holder(spelling) == "ada"
    assert await world.holder(ADA) == "ada"
    assert await world.holder(NEW) is None


@pytest.mark.parametrize(("age", "stays"), [(59.0, True), (60.0, False), (-59.0, True), (-60.0, False)])
async def test_a_lookup_key_that_lies_finds_nobody_and_goes_after_a_minute(world, age, stays):
    await world.write(email_key(NEW), b"ada", age)
    assert await world.holder(NEW) is None
    assert (await world.points(NEW) is not None) is stays


async def test_a_lookup_key_of_nobody_or_of_an_unverified_address_is_no_owner(world):
    await world.write(email_key(NEW), b"linus", 100.0)
    assert (await world.holder(NEW), await world.points(NEW)) == (None, None)
    await world.users.change("ada", lambda r: {**r, "alternate_email": [{"email": NEW, "verified": False}]})
    await world.write(email_key(NEW), b"ada", 100.0)
    assert (await world.holder(NEW), await world.points(NEW)) == (None, "ada")
    await world.write(email_key(NEW), b"a b \xff", 100.0)
    assert await world.holder(NEW) is None


async def test_an_address_of_somebody_else_cannot_be_claimed(world):
    for name in ("grace", "linus"):
        with pytest.raises(AddressHeld):
            await world.users.claim(name, ADA)
    await world.users.claim("ada", ADA)
    with pytest.raises(EmailAlreadyLinked):
        async with claimed(world.users, "grace", ADA, EmailAlreadyLinked):
            pytest.fail("it is hers")


@pytest.mark.parametrize(("age", "held"), [(59.0, True), (60.0, False), (-59.0, True), (-3_600.0, False)])
async def test_a_claim_without_an_owner_stands_for_a_minute(world, age, held):
    await world.write(email_key(NEW), b"grace", age)
    if held:
        with pytest.raises(AddressHeld):
            await world.users.claim("ada", NEW)
    else:
        await world.users.claim("ada", NEW)
    assert await world.points(NEW) == ("grace" if held else "ada")


async def test_who_loses_an_unverified_address_to_a_claim_has_it_no_more(world):
    entries = [{"email": NEW, "verified": False}, {"email": "other@example.org", "verified": False}]
    await world.users.change("grace", lambda r: {**r, "alternate_email": entries})
    await world.write(email_key(NEW), b"grace", 100.0)
    world.noted.clear()
    await world.users.claim("ada", NEW)
    assert (await world.users.get("grace"))["alternate_email"] == entries[1:]
    assert ((), (NEW,)) in world.noted


async def test_a_claim_stands_until_somebody_else_has_it(world):
    await world.users.claim("ada", NEW)
    assert await world.users.confirm("ada", NEW) is True
    await world.write(email_key(NEW), b"grace")
    assert await world.users.confirm("ada", NEW) is False
    with pytest.raises(AddressHeld):
        await world.users.gain("ada", NEW, lambda r: records.with_verified(r, NEW))
    assert await world.has("ada") == [ADA]


@pytest.mark.parametrize(
    ("error", "has_it", "points"),
    [
        *((error, True, "ada") for error in (NotLinked, StorageFull, Unreadable, ProviderUnavailable)),
        *((error, False, None) for error in (NotLinked, StorageFull, Unreadable)),
        # The write may have been made, or be made later: the address is kept for the user, for a minute.
        (ProviderUnavailable, False, "ada"),
    ],
)
async def test_a_claim_is_given_back_by_a_change_that_surely_was_not_made(world, error, has_it, points):
    async def change() -> None:
        async with claimed(world.users, "ada", NEW, EmailAlreadyLinked):
            assert await world.points(NEW) == "ada"
            if has_it:
                await world.users.change("ada", lambda r: records.with_verified(r, NEW))
            raise error

    with pytest.raises(error):
        await change()
    assert await world.points(NEW) == points


async def test_a_claim_of_somebody_who_claims_it_anew_meanwhile_is_not_given_back(world):
    async def change() -> None:
        async with claimed(world.users, "ada", NEW, EmailAlreadyLinked):
            await world.users.claim("ada", NEW)
            raise NotLinked

    with pytest.raises(NotLinked):
        await change()
    assert await world.points(NEW) == "ada"


async def _two_of_hers(world: World) -> AutheliaAccounts:
    await world.users.change("ada", lambda r: records.with_verified(r, NEW))
    await world.users.claim("ada", NEW)
    return AutheliaAccounts(world.users)


async def _set_primary(world: World, accounts: AutheliaAccounts) -> None:
    await accounts.set_primary(records.user("ada", await world.users.get("ada")), NEW, keep=ADA)


@pytest.mark.parametrize("record", [{"email": ADA}, b"{"], ids=["has it", "unreadable"])
async def test_a_primary_address_that_another_account_has_too_can_be_left(world, record):
    accounts = await _two_of_hers(world)
    await world.write("linus", record)
    await world.write(email_key(ADA), b"linus", 100.0)
    await _set_primary(world, accounts)
    assert await world.has("ada") == [NEW, ADA]
    assert await world.points(ADA) == "linus"


@pytest.mark.parametrize("record", [{"email": NEW}, b"{"], ids=["has it", "unreadable"])
async def test_an_address_by_which_another_account_is_found_does_not_become_the_primary_one(world, record):
    accounts = await _two_of_hers(world)
    await world.write("linus", record)
    await world.write(email_key(NEW), b"linus", 100.0)
    with pytest.raises(NotLinked):
        await _set_primary(world, accounts)
    assert await world.has("ada") == [ADA, NEW]
    assert await world.points(NEW) == "linus"


async def test_a_lost_lookup_key_of_the_new_primary_address_is_made_again(world):
    accounts = await _two_of_hers(world)
    await world.bucket.delete(email_key(NEW), (await world.bucket.get(email_key(NEW))).revision)
    await _set_primary(world, accounts)
    assert await world.points(NEW) == "ada"


async def test_an_address_is_released_by_who_has_it_no_more(world):
    await world.users.claim("ada", NEW)
    await world.users.release("grace", NEW)
    assert await world.points(NEW) == "ada"
    await world.users.release("ada", NEW)
    assert await world.points(NEW) is None
    await world.users.release("ada", ADA)
    assert await world.points(ADA) == "ada"


async def test_what_was_claimed_anew_since_a_revision_is_not_released(world):
    await world.users.claim("ada", NEW)
    revision = await world.users.revision_of(NEW)
    assert revision == (await world.bucket.get(email_key(NEW))).revision
    await world.users.claim("ada", NEW)
    await world.users.release("ada", NEW, revision)
    assert await world.points(NEW) == "ada"
    await world.users.release("ada", NEW, await world.users.revision_of(NEW))
    assert await world.points(NEW) is None


async def test_lookup_keys_that_are_lacking_are_made_again(world):
    for key in (email_key(ADA), subject_key("auth0|ada")):
        await world.bucket.delete(key, (await world.bucket.get(key)).revision)
    await world.users.change("ada", lambda r: records.with_verified(records.with_verified(r, NEW), ODD))
    await world.write(email_key(NEW), b"grace")
    await world.users.repair("ada", await world.users.get("ada"))
    assert await world.points(ADA) == "ada"
    assert await world.points(ODD) == "ada"
    assert await world.points(NEW) == "grace"  # about to get it
    assert (await world.bucket.get(subject_key("auth0|ada"))).value == b"ada"
    before = dict(world.bucket._entries)  # noqa: SLF001
    await world.users.repair("grace", await world.users.get("grace"))
    assert before == world.bucket._entries  # noqa: SLF001


async def test_where_there_is_no_room_nothing_is_made_again(world):
    key = email_key(ADA)
    await world.bucket.delete(key, (await world.bucket.get(key)).revision)

    async def full(*_: object) -> int:
        raise StorageFull

    world.bucket.put = full
    await world.users.repair("ada", await world.users.get("ada"))
    assert await world.points(ADA) is None


# --- keys of older data -----------------------------------------------------------------------------


async def _older(world: World, username: str, *, verified: bool = True) -> str:
    """Let a user have an address as older data has it: by the key of its spelling alone. Return that key."""
    await world.users.change(username, lambda r: {**r, "alternate_email": [{"email": ODD, "verified": verified}]})
    await world.write(records.as_spelled(ODD), username.encode(), 100.0)
    return records.as_spelled(ODD)


async def test_older_data_is_found_and_counts(world):
    await _older(world, "grace")
    assert await world.holder(AS_LABELS) == "grace"
    with pytest.raises(AddressHeld):
        await world.users.claim("ada", Address(AS_LABELS))
    await world.users.claim("grace", ODD)
    assert await world.points(ODD) == "grace"


async def test_who_gets_an_address_of_older_data_is_found_by_its_keys_alone(world):
    key = await _older(world, "grace", verified=False)
    other = next(one for one in records.other_email_keys(ODD) if one != key)
    await world.write(other, b"grace", 100.0)
    await world.users.claim("ada", ODD)
    assert (await world.bucket.get(key)).value == b"ada"
    assert (await world.bucket.get(other)).value is None
    assert (await world.users.get("grace"))["alternate_email"] == []
    await world.users.release("ada", ODD)
    assert {(await world.bucket.get(one)).value for one in (key, other, email_key(ODD))} == {None}


# --- social identities ------------------------------------------------------------------------------


async def _link(world: World, username: str) -> None:
    entry = {"provider": "github", "identity_id": 77}
    await world.users.change(username, lambda r: {**r, "identities": [entry]})


async def test_a_social_identity_is_claimed_by_one_user(world):
    assert await world.social.claim("ada", "github", "77") is True
    assert await world.social.claim("ada", "github", "77") is True
    assert await world.social.claim("grace", "github", "77") is False
    assert await world.social.is_claimed_by("ada", "github", "77") is True
    assert await world.social.is_claimed_by("grace", "github", "77") is False
    assert await world.social.claim("grace", "github", "78") is True
    assert await world.social.claim("grace", "gitlab", "77") is True


@pytest.mark.parametrize(("age", "goes"), [(59.0, False), (60.0, True), (-59.0, False), (-60.0, True)])
async def test_a_claim_of_a_social_identity_stands_for_a_minute(world, age, goes):
    await world.social.claim("ada", "github", "77")
    world.clock.now += age
    assert await world.social.claim("grace", "github", "77") is goes


async def test_what_somebody_else_has_is_not_given_and_the_claim_goes(world):
    await _link(world, "grace")
    assert await world.social.claim("ada", "github", "77") is False
    assert await world.social.is_claimed_by("ada", "github", "77") is False
    assert await world.social.claim("grace", "github", "77") is True


async def test_a_claim_is_taken_back_by_who_has_it(world):
    await world.social.claim("ada", "github", "77")
    revision = await world.social.revision_of("github", "77")
    await world.social.release("grace", "github", "77", revision)
    assert await world.social.is_claimed_by("ada", "github", "77") is True
    await world.social.release("ada", "github", "77", revision)
    assert await world.social.claim("grace", "github", "77") is True


def test_an_identity_is_taken_out_by_provider_and_id():
    kept = [{"provider": "github", "identity_id": "7"}, {"provider": "gitlab", "identity_id": 77}]
    record = {"a": 1, "identities": [*kept, {"provider": "github", "identity_id": 77}, "x"]}
    assert without_social(record, "github", "77") == {"a": 1, "identities": kept}


async def test_what_the_predecessor_has_is_read_and_never_written():
    clock = Clock()
    bucket, before = MemoryBucket(0, clock), MemoryBucket(0, clock)
    await before.put("a", b"old", 0)
    both = await moved(bucket.opened, before.opened)()
    assert isinstance(both, MovedBucket)
    old = await both.get("a")
    assert (old.value, old.revision, old.written) == (b"old", 0, (await before.get("a")).written)
    assert await both.get("b") == Entry(None, 0)
    revision = await both.put("a", b"new", 0)
    assert (await both.get("a")).value == b"new"
    await both.delete("a", revision)
    assert (await both.get("a")).value is None
    assert await both.add("b", b"b", 0) == 3
    assert (await both.keys(), (await before.get("a")).value) == (["a", "b"], b"old")
    assert await both.has_room() is True
