# SPDX-License-Identifier: MIT
"""Addresses between replicas, in any order of their steps; each replica has turns of its own."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import IdentityNotFound, NotLinked
from app.domain.users import Address
from providers.authelia.directory import AutheliaDirectory
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.users import Users
from tests.support.buckets import InterruptedBucket
from tests.support.parts import caller

ADA, OTHER = Address("ada@example.org"), Address("ada@lovelace.example")
ORDERS = st.integers(0, 1_000_000)


class Replicas:
    """Two replicas on one bucket, in which Ada has had two addresses for long."""

    def __init__(self, seed: int) -> None:
        self.now = 1_000_000.0
        self.bucket = InterruptedBucket(seed, lambda: self.now)
        self.users = [Users(self.bucket.opened, lambda: self.now, lambda: self.now) for _ in range(2)]

    async def made(self) -> None:
        for name in ("ada", "grace"):
            await self.users[0].create(name, Address(f"{name}@example.org"), name)
        await self.users[0].claim("ada", OTHER)
        await self.users[0].change("ada", lambda record: records.with_verified(record, OTHER))
        self.now += 120

    async def set_primary(self, *addresses: Address) -> None:
        for address in addresses:
            user = records.user("ada", await self.users[0].get("ada"))
            await AutheliaAccounts(self.users[0]).set_primary(user, address, keep=Address(user.primary_email))

    async def lose(self, key: str) -> None:
        await self.bucket.delete(key, (await self.bucket.get(key)).revision)

    async def unlink(self) -> None:
        identities = AutheliaIdentities(self.users[1], None, None, None, trust_unverified=False)
        await identities.unlink(caller("ada"), "email", OTHER)

    async def is_free(self) -> bool:
        """Whether an address that Ada had is nobody's, and somebody else gets it at once."""
        if await self.users[0].holder(OTHER) is not None:
            return False
        await self.users[0].claim("grace", OTHER)
        return True


@settings(max_examples=50, deadline=None)
@given(ORDERS)
def test_who_changes_the_primary_address_is_found_by_both_all_the_time(seed):
    async def scenario() -> None:
        two = Replicas(seed)
        await two.made()
        directory = AutheliaDirectory(two.users[1], None)

        async def look_up(address: Address) -> set[str]:
            return {(await directory.by_email(address)).username for _ in range(5)}

        found = await asyncio.gather(look_up(ADA), look_up(OTHER), two.set_primary(OTHER, ADA, OTHER))
        assert found[:2] == [{"ada"}, {"ada"}]

    asyncio.run(scenario())


@settings(max_examples=50, deadline=None)
@given(ORDERS)
def test_a_repair_by_an_older_record_claims_nothing_that_was_unlinked_since(seed):
    async def scenario() -> None:
        two = Replicas(seed)
        await two.made()
        as_it_was = await two.users[0].get("ada")
        await asyncio.gather(two.unlink(), two.users[0].repair("ada", as_it_was))
        assert await two.is_free()

    asyncio.run(scenario())


async def test_a_repair_takes_back_the_claim_of_an_address_that_is_unlinked_meanwhile():
    two = Replicas(0)
    await two.made()
    await two.lose(records.email_key(OTHER))
    two.bucket.at, two.bucket.first = records.email_key(OTHER), two.unlink
    await two.users[0].repair("ada", await two.users[0].get("ada"))
    assert two.bucket.at == ""
    assert await two.is_free()


async def test_a_repair_claims_nothing_for_a_user_who_is_gone():
    two = Replicas(0)
    await two.made()
    as_it_was = await two.users[0].get("ada")
    for key in (records.email_key(OTHER), "ada"):
        await two.lose(key)
    removed = await two.bucket.get(records.email_key(OTHER))
    await two.users[0].repair("ada", as_it_was)
    assert await two.bucket.get(records.email_key(OTHER)) == removed


@settings(max_examples=50, deadline=None)
@given(ORDERS)
def test_an_address_that_is_unlinked_before_it_becomes_the_primary_one_is_free(seed):
    async def scenario() -> None:
        two = Replicas(seed)
        await two.made()
        ended = await asyncio.gather(two.set_primary(OTHER), two.unlink(), return_exceptions=True)
        assert [type(error) for error in ended if error] in ([NotLinked], [IdentityNotFound])
        primary = (await two.users[0].get("ada"))["email"]
        assert primary == OTHER or await two.is_free()

    asyncio.run(scenario())
