# SPDX-License-Identifier: MIT
"""Primary addresses and aliases: e-mail identities that are made in two steps, and what is left when one fails."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from loguru import logger

from app.domain.errors import AliasNotAvailable, LinkEmailFailed, ProviderUnavailable, SetPrimaryFailed
from app.domain.users import Address
from tests.providers.auth0.conftest import within
from tests.providers.auth0.users import addresses, stubs

ALIAS = Address("ada.lovelace@linux.com")


async def test_the_old_primary_address_is_kept_as_an_identity(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    profile = tenant.user("ada").profile
    assert (profile["email"], profile["email_verified"]) == ("ada@lovelace.example", True)
    assert {"ada@example.org", "ada@lovelace.example"} <= set(addresses(tenant))
    (made,) = tenant.records.of("users.create")
    assert "app_metadata" not in made.fields()


async def test_nothing_is_changed_when_the_old_primary_cannot_be_kept(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.status(500, on="identities.link")
    with pytest.raises(ProviderUnavailable):
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert tenant.user("ada").profile["email"] == "ada@example.org"
    assert stubs(tenant) == []
    assert tenant.records.count("users.update") == 0


async def test_what_was_kept_stays_when_the_last_step_fails(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.status(500, on="users.update")
    with pytest.raises(ProviderUnavailable):
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert "ada@example.org" in addresses(tenant)


async def test_a_passwordless_account_of_the_old_primary_is_linked(provider, tenant):
    tenant.add_user("email|old1", email="ada@example.org")
    user = await provider.directory.by_subject("auth0|ada")
    await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert "ada@example.org" in addresses(tenant)


async def test_a_change_that_is_asked_for_twice_at_once_succeeds_twice(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    old, new = Address("ada@example.org"), Address("ada@lovelace.example")
    # The second goes its first step when the first has gone all of them.
    await provider.accounts.set_primary(user, new, keep=old)
    await provider.accounts.set_primary(user, new, keep=old)
    assert addresses(tenant).count(old) == 1
    assert stubs(tenant) == []


async def test_the_old_primary_address_that_somebody_else_has_linked_is_not_kept(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.add_user("auth0|eve", username="eve", alternates=[("ada@example.org", True)])
    tenant.faults.status(409, on="users.create")
    with pytest.raises(SetPrimaryFailed):
        await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert tenant.records.count("users.update") == 0


async def test_a_stub_that_was_there_and_is_linked_meanwhile_is_kept(provider, tenant):
    tenant.add_user("email|old1", email="ada@example.org")
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.add("reset", "identities.link", acts=True)
    await provider.accounts.set_primary(user, Address("ada@lovelace.example"), keep=Address("ada@example.org"))
    assert addresses(tenant).count("ada@example.org") == 1


async def test_a_link_whose_answer_was_lost_counts_when_it_was_made(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.add("reset", "identities.link", acts=True)
    await provider.aliases.claim(user, ALIAS)
    assert ALIAS in addresses(tenant)


async def test_an_alias_is_an_identity_of_the_account(provider, tenant):
    await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    assert ALIAS in addresses(tenant)
    assert stubs(tenant) == []


async def test_of_two_claims_at_once_one_wins(provider, tenant):
    ada, grace = [await provider.directory.by_subject(s) for s in ("auth0|ada", "auth0|grace.hopper")]
    outcomes = await asyncio.gather(
        provider.aliases.claim(ada, ALIAS), provider.aliases.claim(grace, ALIAS), return_exceptions=True
    )
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [AliasNotAvailable]
    assert (addresses(tenant) + addresses(tenant, "grace.hopper")).count(ALIAS) == 1


async def test_a_stub_that_cannot_be_linked_is_removed(provider, tenant):
    tenant.faults.status(500, on="identities.link")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    assert stubs(tenant) == []


@pytest.mark.parametrize(("age", "claimed"), [(61, True), (30, False)])
async def test_a_stub_that_a_crash_left_is_linked_after_a_minute(provider, tenant, age, claimed):
    made = datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    tenant.add_user("email|left", email=ALIAS, app_metadata={"system_managed": True}, created_at=made)
    user = await provider.directory.by_subject("auth0|ada")
    if claimed:
        await provider.aliases.claim(user, ALIAS)
        assert ALIAS in addresses(tenant)
    else:
        with pytest.raises(AliasNotAvailable):
            await provider.aliases.claim(user, ALIAS)


async def test_a_users_own_passwordless_account_is_not_taken_for_an_alias(provider, tenant):
    tenant.add_user("email|own", email=ALIAS, created_at="2020-01-01T00:00:00.000Z")
    with pytest.raises(AliasNotAvailable):
        await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)


async def test_a_stub_is_removed_though_the_time_for_the_reply_is_over(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    deadline = within(0.6)
    tenant.faults.add("hang", "identities.link")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(user, ALIAS)
    assert deadline.remaining() == 0
    assert stubs(tenant) == []


async def test_what_could_not_be_undone_is_logged_as_such(provider, tenant):
    records = []
    handler = logger.add(lambda message: records.append(message.record), level="ERROR")
    user = await provider.directory.by_subject("auth0|ada")
    within(0.5)
    tenant.faults.status(500, on="identities.link")
    tenant.faults.status(403, on="users.delete")
    with pytest.raises(LinkEmailFailed):
        await provider.aliases.claim(user, ALIAS)
    logger.remove(handler)
    assert [record["message"] for record in records] == ["a half-made e-mail identity could not be removed"]
