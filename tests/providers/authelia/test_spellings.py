# SPDX-License-Identifier: MIT
"""The spellings of an address exclude each other in storage, and what older versions wrote is found."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter

import nats
import pytest
import pytest_asyncio

from app.domain.errors import IdentityLinkedElsewhere
from app.domain.users import Address
from providers.authelia.storage import records
from tests.support.authelia import populated, signing_key
from tests.support.buckets import held
from tests.support.parts import Parts, caller, link, parts
from tests.support.raw_client import connect

SPELLINGS = (
    "jörg@bücher.example",
    "jo\u0308rg@bu\u0308cher.example",
    "jörg@xn--bcher-kva.example",
    "jo\u0308rg@xn--bcher-kva.example",
)
COMPARED = "jörg@xn--bcher-kva.example"
PEOPLE = ("ada", "grace.hopper", "linus_t", "olaf")


def key(address: str) -> str:
    """The lookup key of an address, as the layout has it."""
    return f"lookup/authelia-users/email/{hashlib.sha256(address.encode()).hexdigest()}"


@pytest_asyncio.fixture
async def kv(js):
    await populated(js)
    return await js.key_value("authelia-users")


@pytest_asyncio.fixture
async def replicas(stage, kv):  # noqa: ARG001 - the people are there first
    clients = [await connect(stage.url) for _ in range(3)]
    yield [await parts(client, signing_key()) for client in clients]
    for client in clients:
        await client.close()


async def stored_by_an_older_version(kv, username: str, address: str, *, verified: bool = True) -> None:
    """Give somebody an alternate address as a version did that compared to the letter."""
    record = json.loads((await kv.get(username)).value)
    record["alternate_email"] = [{"email": address, "verified": verified}]
    await kv.put(username, json.dumps(record).encode())
    await kv.put(key(address), username.encode())


async def named_by(kv, address: str) -> str | None:
    """Whom the lookup key of an address in this very spelling names."""
    try:
        return (await kv.get(key(address))).value.decode()
    except nats.js.errors.NotFoundError:
        return None


async def owner(one: Parts, address: str) -> str | None:
    found = await one.users.holder(Address(address))
    return None if found is None else found[0]


async def test_of_claims_of_all_spellings_at_once_over_three_replicas_one_is_granted(replicas):
    async def claim(number: int) -> str:
        try:
            await link(replicas[number % 3], PEOPLE[number % 4], SPELLINGS[number // 4 % 4])
        except IdentityLinkedElsewhere:
            return "refused"
        return PEOPLE[number % 4]

    found = Counter(await asyncio.gather(*(claim(number) for number in range(48))))
    winners = set(found) - {"refused"}
    assert len(winners) == 1
    for spelling in SPELLINGS:
        assert await owner(replicas[0], spelling) in winners


async def test_an_address_has_a_key_for_all_and_one_as_it_was_sent(replicas, kv):
    await link(replicas[0], "ada", SPELLINGS[1])
    assert [await named_by(kv, one) for one in (COMPARED, SPELLINGS[1])] == ["ada", "ada"]
    record = json.loads((await kv.get("ada")).value)
    assert record["alternate_email"][-1] == {"email": SPELLINGS[1], "verified": True}


async def test_a_plain_address_has_the_one_key_it_always_had(replicas, js):
    before = {one for one in await held(js, "authelia-users") if one.startswith("lookup/authelia-users/email/")}
    await link(replicas[0], "ada", "New@example.org".lower())
    after = {one for one in await held(js, "authelia-users") if one.startswith("lookup/authelia-users/email/")}
    assert after - before == {key("new@example.org")}


@pytest.mark.parametrize("stored", SPELLINGS)
async def test_what_an_older_version_stored_is_found_and_taken_in_every_spelling(replicas, kv, stored):
    await stored_by_an_older_version(kv, "grace.hopper", stored)
    for spelling in SPELLINGS:
        assert await owner(replicas[0], spelling) == "grace.hopper"
        with pytest.raises(IdentityLinkedElsewhere):
            await link(replicas[1], "ada", spelling)


@pytest.mark.parametrize("stored", SPELLINGS)
async def test_an_unverified_entry_of_old_goes_to_whoever_verifies_the_address(stage, kv, stored):
    await stored_by_an_older_version(kv, "grace.hopper", stored, verified=False)
    client = await connect(stage.url)
    later = await parts(client, signing_key(), later=61)
    await link(later, "ada", SPELLINGS[0])
    assert json.loads((await kv.get("grace.hopper")).value)["alternate_email"] == []
    for spelling in SPELLINGS:
        assert await owner(later, spelling) == "ada"
    await client.close()


@pytest.mark.parametrize("named", SPELLINGS)
async def test_an_address_is_unlinked_by_any_of_its_spellings_and_is_free_then(replicas, kv, named):
    await link(replicas[0], "ada", SPELLINGS[0])
    await replicas[1].identities.unlink(caller("ada"), "email", named)
    assert [await named_by(kv, one) for one in (*SPELLINGS, COMPARED)] == [None] * 5
    await link(replicas[2], "grace.hopper", SPELLINGS[1])
    assert await owner(replicas[0], named) == "grace.hopper"


async def test_a_synchronisation_gives_what_is_old_the_key_for_all(replicas, kv):
    await stored_by_an_older_version(kv, "grace.hopper", SPELLINGS[1])
    await replicas[0].users.repair("grace.hopper", await replicas[0].users.get("grace.hopper"))
    assert [await named_by(kv, one) for one in (COMPARED, SPELLINGS[1])] == ["grace.hopper"] * 2


async def test_the_primary_address_changes_places_with_one_in_another_spelling(replicas, kv):
    await link(replicas[0], "ada", SPELLINGS[1])
    before = await replicas[0].users.get("ada")
    keep = Address(before["email"])
    await replicas[0].accounts.set_primary(records.user("ada", before), Address(SPELLINGS[0]), keep=keep)
    after = json.loads((await kv.get("ada")).value)
    assert after["email"] == SPELLINGS[0]
    assert [entry["email"] for entry in after["alternate_email"]].count(keep) == 1
    assert not {entry["email"] for entry in after["alternate_email"]} & set(SPELLINGS)
    assert {await owner(replicas[1], spelling) for spelling in SPELLINGS} == {"ada"}


async def test_nobody_is_found_by_a_neighbour(replicas):
    await link(replicas[0], "ada", SPELLINGS[0])
    for other in ("jorg@bücher.example", "jörg@bucher.example"):
        assert await owner(replicas[0], other) is None
