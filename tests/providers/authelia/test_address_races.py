# SPDX-License-Identifier: MIT
"""Addresses between replicas, in any order of their steps; each replica has turns of its own."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.users import Address
from providers.authelia.directory import AutheliaDirectory
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.users import Users
from tests.support.buckets import MemoryBucket

ADA, OTHER = Address("ada@example.org"), Address("ada@lovelace.example")
ORDERS = st.integers(0, 1_000_000)


class Replicas:
    """Two replicas on one bucket, in which Ada has had two addresses for long."""

    def __init__(self, seed: int) -> None:
        self.now = 1_000_000.0
        self.bucket = MemoryBucket(seed, lambda: self.now)
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


@settings(max_examples=100, deadline=None)
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
