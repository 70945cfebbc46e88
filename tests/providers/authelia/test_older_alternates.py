# SPDX-License-Identifier: MIT
"""Alternate addresses that older data has among the identities: they are as good as all others."""

from __future__ import annotations

import json

import pytest

from app.domain.errors import IdentityNotFound
from app.domain.users import Address, Identity
from providers.authelia.identities import AutheliaIdentities
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage import records
from providers.authelia.storage.users import Users
from tests.support.basics import Clock
from tests.support.buckets import MemoryBucket
from tests.support.parts import caller

ADA, OLDER, OTHER = Address("ada@example.org"), Address("older@example.org"), Address("other@example.org")
GITHUB = {"provider": "github", "identity_id": "7", "connection": "github", "email": "ada@hub.example"}
OF_OLDER = {"provider": "email", "identity_id": "5f3c", "connection": "email", "email": "Older@example.org"}
RECORD = {
    "username": "ada",
    "email": ADA,
    "identities": [{**OF_OLDER, "email_verified": True}, GITHUB, "x"],
    "alternate_email": [{"email": OTHER, "verified": True}],
}


class World:
    """Ada, as older data has her."""

    def __init__(self) -> None:
        clock = Clock()
        self.bucket = MemoryBucket(0, clock)
        self.users = Users(self.bucket.opened, clock, clock)
        self.identities = AutheliaIdentities(self.users, None, None, None, trust_unverified=False)
        self.accounts = AutheliaAccounts(self.users)

    async def addresses(self) -> list[tuple[str, bool]]:
        user = records.user("ada", await self.users.get("ada"))
        return [(one.email, one.email_verified) for one in user.alternate_emails]

    async def set_primary(self, address: Address) -> None:
        user = records.user("ada", await self.users.get("ada"))
        await self.accounts.set_primary(user, address, keep=Address(user.primary_email))


@pytest.fixture
async def world():
    made = World()
    await made.bucket.put("ada", json.dumps(RECORD).encode(), 0)
    await made.users.repair("ada", RECORD)
    return made


@pytest.mark.parametrize(
    "names", [{"connection": ""}, {"provider": "other"}, {}], ids=["provider", "connection", "both"]
)
def test_its_identity_id_is_its_address(names):
    record = {"identities": [{**OF_OLDER, "email_verified": True, "name": "n"} | names]}
    (identity,) = records.user("ada", record).identities
    assert identity == Identity("email", OLDER, "email", OLDER, email_verified=True, name="n")


async def test_it_is_unlinked_by_what_the_list_says_of_it(world):
    first = records.user("ada", await world.users.get("ada")).identities[0]
    await world.identities.unlink(caller("ada"), first.provider, first.identity_id)
    assert await world.addresses() == [(OTHER, True)]
    assert (await world.bucket.get(records.email_key(OLDER))).value is None
    assert (await world.users.get("ada"))["identities"] == [GITHUB, "x"]
    with pytest.raises(IdentityNotFound):
        await world.identities.unlink(caller("ada"), first.provider, first.identity_id)


async def test_it_changes_places_with_the_primary_address_and_back(world):
    await world.set_primary(OLDER)
    assert (await world.users.get("ada"))["email"] == OLDER
    assert await world.addresses() == [(ADA, True), (OTHER, True)]
    await world.set_primary(ADA)
    assert (await world.users.get("ada"))["email"] == ADA
    assert await world.addresses() == [(OLDER, True), (OTHER, True)]


def test_an_unverified_one_becomes_verified_in_its_place_or_goes():
    record = {**RECORD, "identities": [OF_OLDER, GITHUB]}
    verified = records.with_verified(record, OLDER)
    assert verified["alternate_email"] == [
        {"email": "Older@example.org", "verified": True},
        {"email": OTHER, "verified": True},
    ]
    assert verified["identities"] == [GITHUB]
    gone = records.without_alternate(record, OLDER, unverified_only=True)
    assert (gone["identities"], gone["alternate_email"]) == ([GITHUB], RECORD["alternate_email"])
