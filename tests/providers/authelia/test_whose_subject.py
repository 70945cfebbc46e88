# SPDX-License-Identifier: MIT
"""Whose a subject identifier is, rule by rule, on a bucket in memory: what is found, stored, taken and removed."""

from __future__ import annotations

import json

import pytest

from app.domain.errors import UserNotFound
from providers.authelia.storage.records import subject_key
from providers.authelia.storage.users import Users
from tests.support.buckets import InterruptedBucket

SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"
OTHER = "9e107d9d-372b-4826-8bd8-1d3542a419d6"
FRESH, OLD = 59, 61


class Shelf:
    """A bucket with users, as the tests put them there."""

    def __init__(self):
        self.now = 1_000_000.0
        self.bucket = InterruptedBucket(0, lambda: self.now)
        self.users = Users(self.bucket.opened, lambda: self.now, lambda: self.now)
        self.subjects = self.users.subjects

    async def put(self, key, value):
        await self.bucket.put(key, value, (await self.bucket.get(key)).revision)

    async def user(self, name, sub="", *, pointed=True):
        """Store a user, and unless told otherwise the lookup key; return the record."""
        record = {"username": name, "sub": sub, "email": ""}
        await self.put(name, json.dumps(record).encode())
        if pointed:
            await self.point(sub or f"auth0|{name}", name)
        return record

    async def point(self, sub, name):
        await self.put(subject_key(sub), name.encode())

    async def pointed(self, sub):
        """The value of the lookup key."""
        value = (await self.bucket.get(subject_key(sub))).value
        return None if value is None else value.decode()

    async def sub(self, name):
        return (await self.users.get(name))["sub"]

    async def owner(self, sub):
        found = await self.subjects.owner(sub)
        assert found is None or found[1] == await self.users.get(found[0])
        return None if found is None else found[0]


@pytest.fixture
def shelf():
    return Shelf()


# Who is found


@pytest.mark.parametrize("stored", [SUB, SUB.upper(), f" {SUB} "])
@pytest.mark.parametrize("asked", [SUB, SUB.upper()])
async def test_a_stored_one_is_found_in_any_case_by_its_key(shelf, stored, asked):
    await shelf.user("ada", stored)
    assert await shelf.owner(asked) == "ada"


@pytest.mark.parametrize("sub", ["auth0|ada", "AUTH0|ada", "auth0|Ada"])
async def test_a_derived_one_is_found_without_a_key_where_the_username_is_spelled_so(shelf, sub):
    await shelf.user("ada", pointed=False)
    assert await shelf.owner(sub) == (None if sub.endswith("Ada") else "ada")


async def test_a_derived_one_is_found_in_any_case_by_its_key(shelf):
    await shelf.user("ada")
    assert await shelf.owner("auth0|Ada") == "ada"


@pytest.mark.parametrize(
    "sub", ["google-oauth2|ada", "ada", "|ada", "auth0ada", "auth0|", "auth0|a b", "auth0|lookup/x"]
)
async def test_nothing_else_is_derived(shelf, sub):
    await shelf.user("ada", pointed=False)
    await shelf.put("lookup/x", b"{}")
    assert await shelf.owner(sub) is None


async def test_a_user_with_a_stored_one_has_no_derived_one_besides(shelf):
    await shelf.user("ada", SUB)
    assert await shelf.owner("auth0|ada") is None


@pytest.mark.parametrize("pointed", ["ada", "Ada"])
async def test_of_two_whose_names_differ_by_case_alone_the_very_one_is_found(shelf, pointed):
    for name in ("ada", "Ada"):
        await shelf.user(name, pointed=False)
    await shelf.point("auth0|ada", pointed)
    assert [await shelf.owner(f"auth0|{name}") for name in ("ada", "Ada")] == ["ada", "Ada"]
    # Nobody is spelled so: the one of the key.
    assert await shelf.owner("auth0|ADA") == pointed


@pytest.mark.parametrize("pointed", ["ada", "gone"])
@pytest.mark.parametrize("age", [FRESH, OLD])
async def test_a_key_that_lies_is_removed_once_it_is_a_minute_old(shelf, pointed, age):
    await shelf.user("ada", OTHER)
    await shelf.point(SUB, pointed)
    shelf.now += age
    assert await shelf.owner(SUB) is None
    assert await shelf.pointed(SUB) == (None if age == OLD else pointed)
    assert await shelf.owner(OTHER) == "ada"


async def test_a_key_that_is_true_stays_although_the_derived_user_has_another(shelf):
    await shelf.user("ada", OTHER)
    await shelf.user("grace", "auth0|ada")
    shelf.now += OLD
    assert await shelf.owner("auth0|ada") == "grace"
    assert await shelf.pointed("auth0|ada") == "grace"


async def test_a_key_that_names_nobody_possible_finds_nobody_and_stays(shelf):
    await shelf.point(SUB, "lookup/x")
    shelf.now += OLD
    assert await shelf.owner(SUB) is None
    assert await shelf.pointed(SUB) == "lookup/x"


# What is stored


async def test_storing_one_makes_record_and_key_and_gives_the_record(shelf):
    await shelf.user("ada")
    assert (await shelf.subjects.store("ada", SUB))["sub"] == SUB
    assert (await shelf.sub("ada"), await shelf.pointed(SUB), await shelf.owner(SUB)) == (SUB, "ada", "ada")


async def test_storing_the_same_again_writes_nothing(shelf):
    before = await shelf.user("ada", SUB)
    revisions = [(await shelf.bucket.get(key)).revision for key in ("ada", subject_key(SUB))]
    assert await shelf.subjects.store("ada", SUB) == before
    assert [(await shelf.bucket.get(key)).revision for key in ("ada", subject_key(SUB))] == revisions


async def test_storing_one_for_nobody_writes_nothing(shelf):
    with pytest.raises(UserNotFound):
        await shelf.subjects.store("ada", SUB)
    assert await shelf.bucket.keys() == []


@pytest.mark.parametrize("age", [FRESH, OLD])
async def test_the_key_of_the_one_before_goes_once_it_is_a_minute_old(shelf, age):
    await shelf.user("ada", OTHER)
    shelf.now += age
    await shelf.subjects.store("ada", SUB)
    assert await shelf.pointed(OTHER) == (None if age == OLD else "ada")


async def test_the_key_of_the_one_before_stays_where_it_is_somebody_elses(shelf):
    await shelf.user("ada", OTHER)
    await shelf.user("grace", OTHER)
    shelf.now += OLD
    await shelf.subjects.store("ada", SUB)
    assert await shelf.pointed(OTHER) == "grace"


async def test_the_derived_one_counts_as_the_one_before(shelf):
    await shelf.user("ada")
    shelf.now += OLD
    await shelf.subjects.store("ada", SUB)
    assert await shelf.pointed("auth0|ada") is None


async def test_another_spelling_of_the_same_keeps_its_key(shelf):
    await shelf.user("ada", SUB)
    shelf.now += OLD
    await shelf.subjects.store("ada", SUB.upper())
    shelf.now += OLD
    assert (await shelf.sub("ada"), await shelf.owner(SUB)) == (SUB.upper(), "ada")


# Who loses one


@pytest.mark.parametrize("held", [SUB, SUB.upper()])
async def test_who_held_it_holds_it_no_more_and_that_is_said_once(shelf, log, held):
    await shelf.user("ada", held)
    await shelf.user("grace")
    await shelf.subjects.store("grace", SUB)
    assert (await shelf.sub("ada"), await shelf.sub("grace"), await shelf.pointed(SUB)) == ("", SUB, "grace")
    (line,) = log
    assert line.startswith("WARNING a subject identifier was taken from a record: it is another user's")
    assert SUB not in line


async def test_who_no_longer_holds_it_is_left_alone(shelf, log):
    before = await shelf.user("ada", OTHER)
    await shelf.point(SUB, "ada")
    await shelf.user("grace")
    await shelf.subjects.store("grace", SUB)
    assert (await shelf.users.get("ada"), log) == (before, [])


async def test_who_comes_to_hold_it_meanwhile_loses_it_too(shelf):
    await shelf.user("ada", OTHER)
    await shelf.point(SUB, "ada")
    await shelf.user("grace")

    async def late():
        await shelf.user("ada", SUB, pointed=False)

    shelf.bucket.at, shelf.bucket.first = subject_key(SUB), late
    await shelf.subjects.store("grace", SUB)
    assert (await shelf.sub("ada"), await shelf.sub("grace")) == ("", SUB)


async def test_a_key_that_changes_meanwhile_is_looked_at_again(shelf):
    await shelf.user("ada")
    await shelf.user("grace")

    async def meanwhile():
        await shelf.subjects.store("ada", SUB)

    shelf.bucket.at, shelf.bucket.first = subject_key(SUB), meanwhile
    await shelf.subjects.store("grace", SUB)
    assert (await shelf.sub("ada"), await shelf.sub("grace"), await shelf.pointed(SUB)) == ("", SUB, "grace")


async def test_who_is_overtaken_after_the_key_is_written_does_not_keep_it(shelf):
    await shelf.user("ada")
    await shelf.user("grace")

    async def meanwhile():
        await shelf.point(SUB, "grace")

    shelf.bucket.at, shelf.bucket.first = "ada", meanwhile
    assert (await shelf.subjects.store("ada", SUB))["sub"] == ""
    assert (await shelf.sub("ada"), await shelf.pointed(SUB)) == ("", "grace")


async def test_one_that_the_name_bears_out_is_kept_beside_another_spelling(shelf, log):
    await shelf.user("ada", "auth0|ada")
    await shelf.user("Ada", pointed=False)
    await shelf.subjects.store("Ada", "auth0|Ada")
    assert (await shelf.sub("ada"), await shelf.sub("Ada"), log) == ("auth0|ada", "auth0|Ada", [])


async def test_the_very_one_is_lost_although_the_name_bears_it_out(shelf):
    await shelf.user("ada", "auth0|ada")
    await shelf.user("grace")
    await shelf.subjects.store("grace", "auth0|ada")
    assert (await shelf.sub("ada"), await shelf.sub("grace")) == ("", "auth0|ada")


async def test_a_holder_who_cannot_be_read_is_left_alone(shelf):
    await shelf.put("ada", b"no record")
    await shelf.point(SUB, "ada")
    await shelf.user("grace")
    await shelf.subjects.store("grace", SUB)
    assert (await shelf.sub("grace"), await shelf.pointed(SUB)) == (SUB, "grace")
    assert (await shelf.bucket.get("ada")).value == b"no record"


# What is repaired


@pytest.mark.parametrize("sub", ["", SUB])
async def test_a_key_that_is_missing_is_made(shelf, sub):
    record = await shelf.user("ada", sub, pointed=False)
    await shelf.subjects.point("ada", record)
    assert await shelf.pointed(sub or "auth0|ada") == "ada"


async def test_a_user_who_is_about_to_be_stored_gets_a_key(shelf):
    await shelf.subjects.point("ada", {"sub": SUB})
    assert await shelf.pointed(SUB) == "ada"


async def test_a_key_that_is_right_is_not_written(shelf):
    record = await shelf.user("ada", SUB)
    before = await shelf.bucket.get(subject_key(SUB))
    await shelf.subjects.point("ada", record)
    assert await shelf.bucket.get(subject_key(SUB)) == before


async def test_nothing_is_made_for_what_the_user_had_before(shelf):
    await shelf.user("ada", OTHER)
    await shelf.subjects.point("ada", {"sub": SUB})
    assert await shelf.pointed(SUB) is None


async def test_what_the_key_says_of_somebody_else_counts_where_the_other_bears_it_out(shelf):
    await shelf.user("grace", SUB)
    record = await shelf.user("ada", SUB, pointed=False)
    await shelf.subjects.point("ada", record)
    assert (await shelf.sub("ada"), await shelf.sub("grace"), await shelf.pointed(SUB)) == ("", SUB, "grace")


@pytest.mark.parametrize("other", ["grace", "gone"])
async def test_a_key_that_nobody_bears_out_is_given_to_who_does(shelf, other):
    await shelf.user("grace", OTHER)
    await shelf.point(SUB, other)
    record = await shelf.user("ada", SUB, pointed=False)
    await shelf.subjects.point("ada", record)
    assert (await shelf.pointed(SUB), await shelf.sub("ada")) == ("ada", SUB)


async def test_a_key_of_somebody_who_cannot_be_read_is_left_alone(shelf):
    await shelf.put("grace", b"no record")
    await shelf.point(SUB, "grace")
    record = await shelf.user("ada", SUB, pointed=False)
    await shelf.subjects.point("ada", record)
    assert (await shelf.pointed(SUB), await shelf.sub("ada")) == ("grace", SUB)


async def test_a_key_that_somebody_writes_meanwhile_is_looked_at_again(shelf):
    record = await shelf.user("ada", SUB, pointed=False)

    async def meanwhile():
        await shelf.user("grace", SUB)

    shelf.bucket.at, shelf.bucket.first = subject_key(SUB), meanwhile
    await shelf.subjects.point("ada", record)
    assert (await shelf.sub("ada"), await shelf.sub("grace"), await shelf.pointed(SUB)) == ("", SUB, "grace")
