# SPDX-License-Identifier: MIT
"""Finding users of a tenant."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import InvalidToken, ProviderUnavailable, SearchFailed, UserNotFound
from app.domain.users import Address
from tests.providers.auth0.conftest import within


async def test_the_primary_email_finds_the_user_of_the_database_connection(provider):
    user = await provider.directory.by_primary_email(Address("ada@example.org"))
    assert (user.user_id, user.username, user.primary_email) == ("auth0|ada", "ada", "ada@example.org")


async def test_an_account_without_the_database_connection_is_nobody_by_its_primary_email(provider):
    with pytest.raises(UserNotFound):
        await provider.directory.by_primary_email(Address("social@gmail.example"))


DATABASE_OF_ADA = {"provider": "auth0", "user_id": "ada.k"}


@pytest.mark.parametrize("stored", ["Ada@Kernel.Example", "ADA@KERNEL.EXAMPLE", "ada@Kernel.example"])
@pytest.mark.parametrize("fresh", [False, True])
async def test_an_address_that_another_identity_provider_wrote_with_capitals_is_found(provider, tenant, stored, fresh):
    tenant.add_user("samlp|acme|ada", email=stored, social=[DATABASE_OF_ADA])
    user = await provider.directory.by_primary_email(Address("ada@kernel.example"), fresh=fresh)
    assert (user.user_id, user.primary_email) == ("samlp|acme|ada", stored)
    (search,) = tenant.records.of("users.search")
    assert search.query["q"] == 'email:"ada@kernel.example"'


async def test_an_address_that_is_found_at_once_is_not_searched_for(provider, tenant):
    await provider.directory.by_primary_email(Address("ada@example.org"))
    assert (tenant.records.count("users-by-email"), tenant.records.count("users.search")) == (1, 0)


async def test_an_account_that_does_not_count_hides_none_whose_address_has_capitals(provider, tenant):
    tenant.add_user("google-oauth2|77", email="ada@kernel.example")
    tenant.add_user("samlp|acme|ada", email="Ada@Kernel.Example", social=[DATABASE_OF_ADA])
    user = await provider.directory.by_primary_email(Address("ada@kernel.example"))
    assert user.user_id == "samlp|acme|ada"


async def test_what_the_search_takes_for_the_address_is_compared_again(provider, tenant):
    tenant.add_user("samlp|acme|ada", email="Ada@Kernel.Example", social=[DATABASE_OF_ADA])
    tenant.accounts.index.lagging = True
    tenant.accounts.change(tenant.user("samlp|acme|ada"), email="Ada@Moved.Example")
    others = [
        {**tenant.user("ada").profile, "email": email} for email in ("ada@kernel.example.org", "", "Kernel.Example")
    ]
    tenant.faults.json(others, "users.search")
    with pytest.raises(UserNotFound):
        await provider.directory.by_primary_email(Address("ada@kernel.example"))
    assert tenant.records.count("users.search") == 1


@pytest.mark.parametrize("local", ['a"b', "a*b", "ada\\", "a+b", "a!b"])
async def test_no_address_widens_the_search_without_case(provider, tenant, local):
    with pytest.raises(UserNotFound):
        await provider.directory.by_primary_email(Address(f"{local}@kernel.example"))
    assert [(search.status, search.sent) for search in tenant.records.of("users.search")] == [(200, b"[]")]


async def test_a_failed_search_without_case_is_no_proof_that_an_address_is_free(provider, tenant):
    tenant.faults.status(403, "users.search")
    with pytest.raises(SearchFailed):
        await provider.directory.by_primary_email(Address("ada@kernel.example"))


async def test_a_verified_alternate_finds_its_user(provider):
    user = await provider.directory.by_alternate_email(Address("ada@lovelace.example"))
    assert user.user_id == "auth0|ada"


async def test_an_unverified_alternate_finds_nobody(provider):
    with pytest.raises(UserNotFound):
        await provider.directory.by_alternate_email(Address("ada@unverified.example"))


async def test_the_own_address_of_a_passwordless_account_is_no_alternate(provider, tenant):
    tenant.add_user("email|5f0", email="solo@example.org")
    with pytest.raises(UserNotFound):
        await provider.directory.by_alternate_email(Address("solo@example.org"))
    user = await provider.directory.resolve("email|5f0")
    assert (user.primary_email, user.alternate_emails) == ("solo@example.org", ())


async def test_what_the_search_still_finds_but_the_user_no_longer_has_is_nobody(provider, tenant):
    tenant.accounts.index.lagging = True
    tenant.user("ada").profile["email"] = "ada@moved.example"
    with pytest.raises(UserNotFound):
        await provider.directory.by_primary_email(Address("ada@example.org"))


@pytest.mark.parametrize("reference", ["ada", "auth0|ada"])
async def test_a_username_and_a_subject_mean_their_user(provider, reference):
    assert (await provider.directory.resolve(reference)).user_id == "auth0|ada"


async def test_a_token_means_its_subject_whatever_its_scopes(provider, tenant):
    user = await provider.directory.resolve(tenant.access_token("ada", ["openid"]))
    assert user.user_id == "auth0|ada"


async def test_a_token_that_is_not_genuine_is_refused_and_no_username(provider, tenant):
    token = tenant.access_token("ada")
    with pytest.raises(InvalidToken):
        await provider.directory.resolve(token[:-8] + "AAAAAAAA")
    assert tenant.records.count("users.*") == 0


async def test_the_account_is_read_as_the_service_and_not_with_the_callers_token(provider, tenant):
    token = tenant.access_token("ada", [])
    await provider.directory.resolve(token)
    (exchange,) = tenant.records.of("users.get")
    assert exchange.bearer != token


@pytest.mark.parametrize("reference", ["x" * 513, "auth0|" + "x" * 507, "ł" * 257, "caf\udce9"])
async def test_what_is_too_long_or_no_text_is_nobody_without_a_call(provider, tenant, reference):
    with pytest.raises(UserNotFound):
        await provider.directory.resolve(reference)
    assert tenant.records.count("users*") == 0


@pytest.mark.parametrize(
    "username",
    ["*", 'ada" OR "1"="1', "ad?", "a*", "ada OR linus_t", '" OR username:"ada', "\\", "[a TO z]", "ada~", "/ad./"],
)
async def test_a_username_cannot_widen_the_search(provider, tenant, username):
    with pytest.raises(UserNotFound):
        await provider.directory.resolve(username)
    assert [exchange.status for exchange in tenant.records.of("users.search")] == [200]


@pytest.mark.parametrize(
    "subject", ["auth0|../../clients", "auth0|ada/../linus_t", "auth0|ada?fields=x", "auth0|%61da", "|", "auth0|ada#"]
)
async def test_a_subject_stays_one_segment_of_the_path(provider, tenant, subject):
    with pytest.raises(UserNotFound):
        await provider.directory.resolve(subject)
    assert {exchange.operation for exchange in tenant.records.of("*")} - {"jwks", "token.client_credentials"} <= {
        "users.get"
    }


@pytest.mark.parametrize("subject", [".", "..", ""])
async def test_a_subject_that_a_path_would_lose_is_nobody_without_a_call(provider, tenant, subject):
    with pytest.raises(UserNotFound):
        await provider.directory.by_subject(subject)
    assert tenant.records.count("users*") == 0


async def test_an_identity_id_that_is_a_number_keeps_every_digit(provider, tenant):
    tenant.user("ada").profile["identities"].append(
        {"provider": "github", "user_id": 123456789012345678901234567890, "connection": "github", "isSocial": True}
    )
    user = await provider.directory.by_subject("auth0|ada")
    assert user.identities[-1].identity_id == "123456789012345678901234567890"


async def test_the_first_identity_is_the_account_and_has_no_profile(provider):
    first = (await provider.directory.by_subject("auth0|ada")).identities[0]
    assert (first.provider, first.identity_id, first.email, first.is_account) == ("auth0", "ada", "", True)


async def test_identical_reads_at_once_share_a_call(provider, tenant, counts):
    tenant.faults.latency = 0.2
    found = await asyncio.gather(*(provider.directory.resolve("auth0|ada") for _ in range(50)))
    assert {user.user_id for user in found} == {"auth0|ada"}
    assert tenant.records.count("users.get") == 1
    assert counts.shared["get_user"] == 49


async def test_look_ups_of_one_address_that_begin_one_after_another_have_one_answer(provider, tenant):
    tenant.add_user("samlp|acme|ada", email="Ada@Kernel.Example", social=[DATABASE_OF_ADA])
    tenant.faults.latency = 0.1

    async def found(after):
        await asyncio.sleep(after)
        return (await provider.directory.by_primary_email(Address("ada@kernel.example"))).user_id

    # Some begin while others ask by e-mail, some while others search: each step takes as long as ten beginnings.
    assert {*await asyncio.gather(*(found(number / 100) for number in range(30)))} == {"samlp|acme|ada"}


async def test_a_user_with_very_many_values_is_nobody_and_hides_nobody(provider, tenant):
    tenant.add_user("google-oauth2|77", email="ada@example.org")
    tenant.user("google-oauth2|77").profile["user_metadata"] = {"a": [0] * 60_000}
    assert (await provider.directory.by_primary_email(Address("ada@example.org"))).user_id == "auth0|ada"
    with pytest.raises(ProviderUnavailable):
        await provider.directory.by_subject("google-oauth2|77")
    assert tenant.records.count("users.get") == 1


async def test_a_user_whose_answer_is_longer_than_what_is_read_is_asked_for_once(provider, tenant):
    tenant.add_user("google-oauth2|77", email="bulky@example.org", metadata={"bio": "x" * 2 * 1024 * 1024})
    for read in (
        provider.directory.by_subject("google-oauth2|77"),
        provider.directory.by_email(Address("bulky@example.org")),
    ):
        with pytest.raises(ProviderUnavailable):
            await read
    assert (tenant.records.count("users.get"), tenant.records.count("users-by-email")) == (1, 1)


async def test_reads_for_a_write_are_not_shared(provider, tenant):
    tenant.faults.latency = 0.1
    await asyncio.gather(*(provider.directory.by_subject("auth0|ada") for _ in range(3)))
    assert tenant.records.count("users.get") == 3


async def test_a_shared_read_is_cancelled_only_when_nobody_waits(provider, tenant):
    tenant.faults.latency = 0.2
    first, second = (asyncio.create_task(provider.directory.resolve("auth0|ada")) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).user_id == "auth0|ada"
    assert tenant.records.count("users.get") == 1


async def test_a_read_is_tried_again_after_an_outage_that_its_time_outlasts(provider, tenant, counts):
    within(2.0)
    tenant.faults.status(503, on="users.get", times=2)
    assert (await provider.directory.resolve("auth0|ada")).user_id == "auth0|ada"
    assert counts.retries["get_user"] == 2
