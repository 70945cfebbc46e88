# SPDX-License-Identifier: MIT
"""Linking and unlinking identities."""

from __future__ import annotations

import pytest

from app.domain.errors import GuardFailed, IdentityLinkedElsewhere, IdentityNotFound, SystemManagedIdentity
from app.domain.users import Address
from tests.providers.auth0.conftest import within
from tests.providers.auth0.users import addresses, caller

ALIAS = Address("ada.lovelace@linux.com")


async def test_an_identity_is_linked_with_the_callers_token(provider, tenant):
    who = caller(tenant)
    await provider.identities.link(who, tenant.id_token("google-oauth2|77", email="x@y.example"), "google-oauth2|77")
    (exchange,) = tenant.records.of("identities.link")
    assert exchange.bearer == who.token.get_secret_value()
    assert any(str(i["user_id"]) == "77" for i in tenant.user("ada").profile["identities"])


async def test_what_is_linked_to_the_account_already_is_left_alone(provider, tenant):
    await provider.identities.link(caller(tenant), tenant.id_token("google-oauth2|1029"), "google-oauth2|1029")
    assert tenant.records.count("identities.link") == 0


async def test_what_is_linked_to_another_account_stays_there(provider, tenant):
    with pytest.raises(IdentityLinkedElsewhere):
        await provider.identities.link(
            caller(tenant, "linus_t"), tenant.id_token("google-oauth2|1029"), "google-oauth2|1029"
        )


async def test_an_identity_is_unlinked_by_the_id_that_the_list_gives(provider, tenant):
    user = await provider.directory.by_subject("auth0|linus_t")
    github = next(i for i in user.identities if i.provider == "github")
    await provider.identities.unlink(caller(tenant, "linus_t"), "github", github.identity_id)
    assert not any(i["provider"] == "github" for i in tenant.user("linus_t").profile["identities"])


@pytest.mark.parametrize(
    ("kind", "identity_id"), [("google-oauth2", "9999"), (".", ".."), ("..", "x"), ("email", "../../x"), ("email", ".")]
)
async def test_what_is_not_on_the_account_is_not_found_and_nobody_is_deleted(provider, tenant, kind, identity_id):
    with pytest.raises(IdentityNotFound):
        await provider.identities.unlink(caller(tenant), kind, identity_id)
    assert tenant.records.count("users.delete") == 0
    assert "auth0|ada" in tenant.accounts.by_id


@pytest.mark.parametrize("kind", ["email", "Email"])
async def test_an_alias_cannot_be_unlinked(provider, tenant, kind):
    await provider.aliases.claim(await provider.directory.by_subject("auth0|ada"), ALIAS)
    alias = (await provider.directory.by_subject("auth0|ada")).email_identity(ALIAS)
    with pytest.raises(SystemManagedIdentity):
        await provider.identities.unlink(caller(tenant), kind, alias.identity_id)
    assert ALIAS in addresses(tenant)


async def test_a_further_address_can_be_unlinked(provider, tenant):
    address = Address("ada@lovelace.example")
    identity = (await provider.directory.by_subject("auth0|ada")).email_identity(address)
    await provider.identities.unlink(caller(tenant), "email", identity.identity_id)
    assert address not in addresses(tenant)


async def test_nothing_is_unlinked_when_the_guard_cannot_tell(provider, tenant):
    within(0.5)
    identity = (await provider.directory.by_subject("auth0|ada")).email_identity(Address("ada@lovelace.example"))
    tenant.faults.status(500, on="GET /api/v2/users/email*")
    with pytest.raises(GuardFailed):
        await provider.identities.unlink(caller(tenant), "email", identity.identity_id)
    assert tenant.records.count("identities.unlink") == 0
