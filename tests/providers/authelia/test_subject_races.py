# SPDX-License-Identifier: MIT
"""Subject identifiers between replicas, in any order of their steps; each replica has turns of its own."""

from __future__ import annotations

import asyncio
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.authelia.storage.users import Users
from tests.support.buckets import MemoryBucket

SUB = "5d2c1f0e-8d8b-4a53-9a4e-3b9a3ad7d6a1"
OTHER = "9e107d9d-372b-4826-8bd8-1d3542a419d6"
ORDERS = st.integers(0, 1_000_000)


class Replicas:
    """Replicas on one bucket, in which two users have been for long."""

    def __init__(self, seed: int, number: int) -> None:
        self.now = 1_000_000.0
        self.bucket = MemoryBucket(seed, lambda: self.now)
        self.users = [Users(self.bucket.opened, lambda: self.now, lambda: self.now) for _ in range(number)]

    async def made(self) -> None:
        for name in ("ada", "grace"):
            await self.users[0].create(name, f"{name}@example.org", name)
        self.now += 120

    async def store(self, username: str, subject: str) -> None:
        await self.users[0].subjects.store(username, subject)
        self.now += 120

    async def holders(self, subject: str) -> list[str]:
        names = await self.users[0].usernames()
        return [name for name in names if (await self.users[0].get(name))["sub"] == subject]


@settings(max_examples=300, deadline=None)
@given(ORDERS)
def test_a_user_with_two_subs_is_found_by_the_stored_one_whoever_wins(seed):
    """A removal of the lookup key of the one before must not hit what was given anew meanwhile."""

    async def scenario() -> None:
        three = Replicas(seed, 3)
        await three.made()
        await three.store("ada", OTHER)
        await asyncio.gather(*(one.subjects.store("ada", sub) for one, sub in product(three.users, (SUB, OTHER))))
        stored = (await three.users[0].get("ada"))["sub"]
        assert (await three.users[0].subjects.owner(stored))[0] == "ada"

    asyncio.run(scenario())


@settings(max_examples=300, deadline=None)
@given(ORDERS)
def test_two_users_who_are_given_one_sub_at_once_do_not_both_keep_it(seed):
    async def scenario() -> None:
        two = Replicas(seed, 2)
        await two.made()
        await asyncio.gather(
            two.users[0].subjects.store("ada", SUB),
            two.users[1].subjects.store("grace", SUB),
        )
        found = await two.users[0].subjects.owner(SUB)
        holders = await two.holders(SUB)
        assert len(holders) <= 1
        assert ([found[0]] if found else []) == holders
        # Once they come one after the other, the last one has it.
        for name in ("ada", "grace"):
            await two.store(name, SUB)
            assert await two.holders(SUB) == [name]
            assert (await two.users[1].subjects.owner(SUB))[0] == name

    asyncio.run(scenario())


@settings(max_examples=300, deadline=None)
@given(ORDERS)
def test_a_look_up_removes_no_key_that_is_about_to_be_true(seed):
    async def scenario() -> None:
        two = Replicas(seed, 2)
        await two.made()
        for subject in (SUB, OTHER):
            await two.store("ada", subject)
        await asyncio.gather(two.users[0].subjects.store("ada", SUB), two.users[1].subjects.owner(SUB))
        assert (await two.users[1].subjects.owner(SUB))[0] == "ada"

    asyncio.run(scenario())


@settings(max_examples=300, deadline=None)
@given(ORDERS)
def test_a_repair_takes_nothing_back_that_authelia_has_just_given_to_another(seed):
    async def scenario() -> None:
        two = Replicas(seed, 2)
        await two.made()
        await two.store("ada", SUB)
        as_it_was = await two.users[1].get("ada")
        await asyncio.gather(
            two.users[0].subjects.store("grace", SUB),
            two.users[1].repair("ada", as_it_was),
        )
        assert await two.holders(SUB) == ["grace"]
        assert (await two.users[0].subjects.owner(SUB))[0] == "grace"

    asyncio.run(scenario())
