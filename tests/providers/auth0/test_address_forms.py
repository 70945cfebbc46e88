# SPDX-License-Identifier: MIT
"""A user is found by every spelling of an address, in whichever the tenant has it, and by none of a neighbour."""

from __future__ import annotations

import pytest

from tests.providers.auth0.bus import on_the_bus

pytestmark = pytest.mark.usefixtures("on_nats")

SPELLINGS = (
    "jörg@bücher.example",
    "jo\u0308rg@bu\u0308cher.example",
    "jörg@xn--bcher-kva.example",
    "jo\u0308rg@xn--bcher-kva.example",
)
ALIASES = "bücher.example"


@pytest.fixture
def alias_domain(on_nats):
    on_nats.setenv("ALLOWED_ALIAS_DOMAINS", ALIASES)


@pytest.mark.usefixtures("alias_domain")
@pytest.mark.parametrize("stored", SPELLINGS)
async def test_a_primary_address_is_found_in_every_spelling(tenant, stored):
    tenant.add_user("auth0|joerg", username="joerg", email=stored)
    async with on_the_bus() as bus:
        for spelling in SPELLINGS:
            assert await bus.ask("email_to_sub", spelling.upper()) == "auth0|joerg"
            assert await bus.ask("email_linking.send_verification", spelling) == "email already linked"
        assert await bus.ask("email_to_sub", "jorg@bücher.example") == "user not found"


@pytest.mark.usefixtures("alias_domain")
@pytest.mark.parametrize("stored", SPELLINGS)
async def test_an_alternate_address_is_found_in_every_spelling(tenant, stored):
    tenant.add_user("auth0|joerg", username="joerg", alternates=[(stored, True)])
    async with on_the_bus() as bus:
        for spelling in SPELLINGS:
            assert await bus.ask("email_to_username", spelling) == "joerg"
        body = {"user": {"auth_token": tenant.access_token("joerg")}, "email": SPELLINGS[0]}
        assert (await bus.ask("user_emails.set_primary", body))["success"]


@pytest.mark.usefixtures("alias_domain")
@pytest.mark.parametrize("stored", SPELLINGS)
async def test_an_alias_domain_is_one_in_every_spelling(tenant, stored):
    tenant.add_user("auth0|joerg", username="joerg", alternates=[(stored, True)])
    async with on_the_bus() as bus:
        token = {"auth_token": tenant.access_token("joerg")}
        for domain in (" XN--bcher-kva.example", "bücher.example", "bu\u0308cher.EXAMPLE"):
            claim = {"user": token, "alias": "jane", "domain": domain}
            assert await bus.ask("add_alias", claim) == "already_claimed"
        (identity,) = tenant.user("joerg").profile["identities"][1:]
        unlink = {"provider": "email", "identity_id": str(identity["user_id"])}
        assert await bus.ask("user_identity.unlink", {"user": token, "unlink": unlink}) == "system_managed_identity"


@pytest.mark.usefixtures("alias_domain")
async def test_an_alias_is_given_once_in_the_spelling_that_is_configured(tenant):
    async with on_the_bus() as bus:

        def claim(who, domain):
            return bus.ask(
                "add_alias", {"user": {"auth_token": tenant.access_token(who)}, "alias": "jane", "domain": domain}
            )

        assert await claim("ada", "XN--bcher-kva.example") == {"success": True, "email": "jane@bücher.example"}
        assert await claim("grace.hopper", "bücher.example") == "alias_not_available"
        assert await bus.ask("email_to_sub", "jane@bücher.example") == "auth0|ada"


async def test_a_plain_address_of_nobody_is_asked_for_once_by_itself_and_once_by_each_search(tenant):
    async with on_the_bus() as bus:
        assert await bus.ask("email_to_sub", "nobody@example.org") == "user not found"
    assert (tenant.records.count("users-by-email"), tenant.records.count("users.search")) == (1, 2)


REFUSED = {"statusCode": 400, "error": "Bad Request", "message": "Query validation error"}


async def test_a_form_that_the_tenant_takes_for_no_address_is_nobodys(tenant):
    tenant.add_user("auth0|joerg", username="joerg", email="joerg@xn--bcher-kva.example")
    async with on_the_bus() as bus:
        tenant.faults.json(REFUSED, "users-by-email", 400, skip=1)
        assert await bus.ask("email_to_sub", "joerg@xn--bcher-kva.example") == "auth0|joerg"


async def test_a_given_form_that_the_tenant_takes_for_no_address_does_not_hide_the_others(tenant):
    async with on_the_bus() as bus:
        for given in ("ada@example\u3002org", "ada@example\uff0eorg", "ada@\uff45xample.org"):
            tenant.faults.json(REFUSED, "users-by-email", 400, times=1)
            assert await bus.ask("email_to_sub", given) == "auth0|ada"
            tenant.faults.json(REFUSED, "users-by-email", 400, times=1)
            assert await bus.ask("email_linking.send_verification", given) == "email already linked"


async def test_no_spelling_widens_a_search(tenant):
    async with on_the_bus() as bus:
        for text in ('jörg"OR*@bücher.example', "jörg@bücher.example\uff02 OR *", "jörg*@\uff0abücher.example"):
            assert await bus.ask("email_to_sub", text) == "user not found"
    assert {search.sent for search in tenant.records.of("users.search")} <= {b"[]"}


async def test_a_proof_is_for_the_address_in_whichever_spelling_the_tenant_tells_it(tenant):
    async with on_the_bus() as bus:
        proof = tenant.id_token("email|x", exists=False, email="jörg@xn--bcher-kva.example")
        tenant.faults.json({"id_token": proof, "token_type": "Bearer"}, "token.otp")
        reply = await bus.ask("email_linking.verify", {"email": "jo\u0308rg@bücher.example", "otp": "123456"})
    assert reply["data"]["id_token"] == proof


async def test_an_address_with_capitals_of_another_identity_provider_is_somebodys(tenant):
    database = {"provider": "auth0", "user_id": "ada.k"}
    tenant.add_user("samlp|acme|ada", username="ada.k", email="Ada@Kernel.Example", social=[database])
    async with on_the_bus() as bus:
        for spelling in ("ada@kernel.example", "ADA@KERNEL.EXAMPLE", " Ada@Kernel.Example\n"):
            assert await bus.ask("email_to_sub", spelling) == "samlp|acme|ada"
            assert await bus.ask("email_to_username", spelling) == "ada.k"
            assert await bus.ask("email_linking.send_verification", spelling) == "email already linked"
        assert await bus.ask("email_to_sub", "ada@kernel.example.org") == "user not found"


async def test_an_address_that_only_the_index_still_has_is_nobodys(tenant):
    tenant.accounts.index.lagging = True
    tenant.accounts.change(tenant.user("ada"), email="ada@moved.example")
    async with on_the_bus() as bus:
        assert await bus.ask("email_to_sub", "Ada@example.org") == "user not found"
        assert await bus.ask("email_to_sub", "ada@moved.example") == "auth0|ada"
