# SPDX-License-Identifier: MIT
"""Social identities between replicas, in any order of their steps."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.users import Address
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.storage.social import SocialClaims
from providers.authelia.storage.users import Users
from tests.support.basics import unsigned
from tests.support.buckets import MemoryBucket
from tests.support.parts import caller

ADA = caller("ada")
TOKEN = unsigned({"sub": "github|77"})


class Replicas:
    """Two replicas, in which Ada has had an identity for long."""

    def __init__(self, seed: int) -> None:
        self.now = 1_000_000.0
        self._stored, self._claims = (MemoryBucket(seed, self._clock) for _ in range(2))
        self.one, self.other = self._replica(), self._replica()

    def _clock(self) -> float:
        return self.now

    def _replica(self) -> AutheliaIdentities:
        self.users = Users(self._stored.opened, self._clock, self._clock)
        social = SocialClaims(self.users, self._claims.opened, self._clock)
        return AutheliaIdentities(self.users, None, None, social, trust_unverified=True)

    async def made(self) -> None:
        for name in ("ada", "grace"):
            await self.users.create(name, Address(f"{name}@example.org"), name)
        await self.one.link(ADA, TOKEN, "github|77")
        self.now += 120


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1_000_000))
def test_who_unlinks_and_links_the_same_identity_at_once_gets_no_refusal(seed):
    async def scenario() -> None:
        two = Replicas(seed)
        await two.made()
        await asyncio.gather(two.one.unlink(ADA, "github", "77"), two.other.link(ADA, TOKEN, "github|77"))

    asyncio.run(scenario())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1_000_000))
def test_an_identity_that_was_unlinked_is_free_at_once(seed):
    async def scenario() -> None:
        two = Replicas(seed)
        await two.made()
        await two.one.unlink(ADA, "github", "77")
        await two.other.link(caller("grace"), TOKEN, "github|77")

    asyncio.run(scenario())
