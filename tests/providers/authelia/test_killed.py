# SPDX-License-Identifier: MIT
"""Processes killed by SIGKILL before each of their writes: what they leave is usable, and no lookup key lies."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
import pytest_asyncio

from app.domain.errors import IdentityLinkedElsewhere
from providers.authelia.storage import records
from providers.authelia.storage.records import email_key
from tests.support.authelia import signing_key
from tests.support.buckets import held
from tests.support.forking import FORKED
from tests.support.parts import (
    LATER,
    NEW,
    OPERATIONS,
    SUB,
    create,
    do,
    link,
    link_social,
    parts,
    set_primary,
    unlink,
)

pytestmark = pytest.mark.usefixtures("old_lookup")

WRITES = {
    "link": 4,  # token at work, lookup key, record, token used
    "link_social": 2,  # claim, record
    "unlink": 2,  # record, lookup key
    "set_primary": 2,  # lookup key, record
    "create": 3,  # lookup keys of address and subject, record
    "take_over": 6,  # token at work, the other's record, lookup key, the other's record, record, token used
    "store_subject": 3,  # lookup key, record, the old lookup key
}
DEATHS = [(operation, writes) for operation, number in WRITES.items() for writes in range(number)]
LINK_DEATHS = [writes for operation, writes in DEATHS if operation == "link"]


@pytest_asyncio.fixture(name="old_lookup")
async def _old_lookup(people, js) -> None:  # noqa: ARG001 - people are there first
    """A lookup key for an unverified address, as the service before this one made them."""
    kv = await js.key_value("authelia-users")
    await kv.put(email_key("ada@unverified.example"), b"ada")


async def _ended(stage, operation, writes) -> int:
    """Run the operation in a process that survives so many writes; return its exit status."""
    process = FORKED.Process(target=do, args=(stage.url, signing_key(), operation, writes))
    process.start()
    await asyncio.to_thread(process.join)
    return process.exitcode


async def _killed(stage, operation, writes) -> None:
    assert await _ended(stage, operation, writes) == -signal.SIGKILL


async def _after(js, later=0.0):
    return await parts(js._nc, signing_key(), later=later)  # noqa: SLF001 - a context gives its connection no other way


async def _records(js):
    values = await held(js, "authelia-users")
    return {name: json.loads(value) for name, value in values.items() if not name.startswith("lookup/")}


async def _nothing_lies(js):
    """Every address that is somebody's is found, every other is nobody's, and nobody shares one."""
    one = await _after(js)
    everybody = await _records(js)
    owners = {}
    for username, record in everybody.items():
        for address in records.held(record):
            owners.setdefault(address, set()).add(username)
    # Records as they were before may share an address: the one of the lookup key has it then.
    mine = {NEW, "ada@lovelace.example", "ada@example.org", "ada@unverified.example"}
    for address in mine:
        found = await one.users.holder(address)
        assert ({found[0]} if found else set()) == owners.get(address, set()), address


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_has_that_many_writes(stage, operation):
    assert await _ended(stage, operation, WRITES[operation]) == 0


@pytest.mark.parametrize(("operation", "writes"), DEATHS)
async def test_no_lookup_lies_and_the_operation_can_be_repeated_at_once(stage, js, operation, writes):
    await _killed(stage, operation, writes)
    await _nothing_lies(js)
    one = await _after(js, later=LATER.get(operation, 0.0))
    if operation == "unlink" and writes:
        assert await one.users.holder("ada@lovelace.example") is None
    else:
        await OPERATIONS[operation](one)
    await _nothing_lies(js)


@pytest.mark.parametrize("writes", LINK_DEATHS)
async def test_the_owner_can_use_the_address_at_once(stage, js, writes):
    await _killed(stage, "link", writes)
    one = await _after(js)
    await link(one)
    assert (await one.users.holder(NEW))[0] == "grace.hopper"


@pytest.mark.parametrize("writes", LINK_DEATHS)
async def test_a_newcomer_can_use_the_address_after_a_minute_unless_it_is_owned(stage, js, writes):
    await _killed(stage, "link", writes)
    one = await _after(js, later=61)
    if writes == 3:  # the record has it
        with pytest.raises(IdentityLinkedElsewhere):
            await link(one, "linus_t")
        assert (await one.users.holder(NEW))[0] == "grace.hopper"
    else:
        await link(one, "linus_t")
        assert (await one.users.holder(NEW))[0] == "linus_t"
    await _nothing_lies(js)


async def test_for_a_minute_a_claim_without_owner_is_left_alone(stage, js):
    await _killed(stage, "link", 2)
    with pytest.raises(IdentityLinkedElsewhere):
        await link(await _after(js, later=30), "linus_t")
    assert await (await _after(js)).users.holder(NEW) is None


async def test_after_a_minute_a_look_up_removes_a_claim_without_owner(stage, js):
    await _killed(stage, "link", 2)
    assert await (await _after(js, later=61)).users.holder(NEW) is None
    assert email_key(NEW) not in await held(js, "authelia-users")


@pytest.mark.parametrize("writes", [0, 1])
async def test_an_unlinked_address_is_free_for_somebody_else(stage, js, writes):
    await _killed(stage, "unlink", writes)
    one = await _after(js, later=61)
    if not writes:
        await unlink(one)
    await link(one, "linus_t", "ada@lovelace.example")
    assert (await one.users.holder("ada@lovelace.example"))[0] == "linus_t"


@pytest.mark.parametrize("writes", [0, 1])
async def test_a_social_identity_is_free_after_a_minute(stage, js, writes):
    await _killed(stage, "link_social", writes)
    await link_social(await _after(js, later=61), "linus_t")
    assert [i["identity_id"] for i in (await _records(js))["linus_t"]["identities"]] == ["77"]


@pytest.mark.parametrize("writes", range(2))
async def test_the_two_primaries_are_the_accounts_whatever_happens(stage, js, writes):
    await _killed(stage, "set_primary", writes)
    one = await _after(js)
    await set_primary(one)
    assert (await one.users.get("ada"))["email"] == "ada@lovelace.example"


@pytest.mark.parametrize("writes", range(3))
async def test_a_user_who_was_half_made_is_made_by_the_next_synchronisation(stage, js, writes):
    await _killed(stage, "create", writes)
    one = await _after(js)
    await create(one)
    assert (await one.users.holder(NEW))[0] == "newcomer"


@pytest.mark.parametrize("writes", range(3))
async def test_a_subject_that_was_half_stored_finds_its_user_after_the_next_token(stage, js, writes):
    await _killed(stage, "store_subject", writes)
    one = await _after(js)
    await one.users.subjects.store("grace.hopper", SUB)
    assert (await one.users.subjects.owner(SUB))[0] == "grace.hopper"
    assert await one.users.subjects.owner("auth0|grace.hopper") is None
