# SPDX-License-Identifier: MIT
"""What is true of every write: whose rights it uses, how often it is sent, and what it commits the request to."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import (
    IncorrectPassword,
    InvalidToken,
    MissingScope,
    ProviderUnavailable,
    RateLimited,
    UpdateFailed,
)
from app.domain.users import Address
from tests.providers.auth0.conftest import within
from tests.providers.auth0.users import caller
from tests.support.waiting import until

WRITES = ("users.update", "identities.unlink", "passwordless.start", "change_password")


async def test_metadata_is_changed_with_the_callers_token_and_merged(provider, tenant):
    who = caller(tenant)
    user = await provider.profiles.update_metadata(who, {"city": "Oslo"})
    assert (user.user_metadata["city"], user.user_metadata["country"]) == ("Oslo", "GB")
    (exchange,) = tenant.records.of("users.update")
    assert exchange.bearer == who.token.get_secret_value()
    assert exchange.fields() == {"user_metadata": {"city": "Oslo"}}


@pytest.mark.parametrize(
    ("status", "error"), [(401, InvalidToken), (403, MissingScope), (429, RateLimited), (500, ProviderUnavailable)]
)
async def test_a_refusal_of_the_callers_token_is_the_callers(provider, tenant, status, error):
    within(0.5)
    tenant.faults.status(status, on="users.update")
    with pytest.raises(error):
        await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert tenant.records.count("users.update") == 1 or status == 429


@pytest.mark.parametrize("connected", [True, False])
async def test_a_write_whose_time_is_over_is_not_sent(provider, tenant, connected):
    who = caller(tenant)
    if connected:  # over a connection that stands, the client sends before it looks at any clock
        within(60.0)
        await asyncio.gather(*(provider.directory.by_subject("auth0|ada") for _ in range(3)))
    for seconds in (0.0, 0.05):
        deadline = within(seconds)
        for write in (
            provider.profiles.update_metadata(who, {"city": "Oslo"}),
            provider.identities.unlink(who, "google-oauth2", "1029"),
            provider.verification.send_code(Address("x@new.example")),
            provider.reset_links.send(Address("ada@example.org")),
        ):
            with pytest.raises(ProviderUnavailable):
                await write
    assert [tenant.records.count(name) for name in WRITES] == [0] * len(WRITES)
    assert not deadline.committed


async def test_a_write_whose_answer_was_lost_is_not_repeated(provider, tenant):
    tenant.faults.add("reset", "users.update", acts=True)
    with pytest.raises(ProviderUnavailable):
        await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert tenant.records.count("users.update") == 1


async def test_a_deletion_whose_answer_was_lost_is_not_repeated(provider, tenant):
    who = caller(tenant)
    tenant.faults.add("reset", "identities.unlink")
    with pytest.raises(ProviderUnavailable):
        await provider.identities.unlink(who, "google-oauth2", "1029")
    assert tenant.records.count("identities.unlink") == 1


async def test_a_write_that_met_a_rate_limit_is_repeated(provider, tenant):
    tenant.faults.too_many("users.update", times=1)
    user = await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert user.user_metadata["city"] == "Oslo"
    assert tenant.records.count("users.update") == 2


async def test_once_a_write_was_sent_what_follows_is_not_cut_off(provider, tenant):
    deadline = within(2.0)
    await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert deadline.committed


async def test_a_write_that_never_left_commits_to_nothing(provider, server):
    who = caller(server.tenant)
    await provider.directory.by_subject("auth0|ada")
    server.refuse_connections()
    await asyncio.sleep(0.5)  # until the connections that were kept are seen to be closed
    deadline = within(0.5)
    with pytest.raises(ProviderUnavailable):
        await provider.profiles.update_metadata(who, {"city": "Oslo"})
    assert not deadline.committed


async def test_a_write_that_was_refused_commits_to_nothing(provider, tenant):
    tenant.faults.status(400, on="users.update")
    deadline = within(2.0)
    with pytest.raises(UpdateFailed):
        await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    assert not deadline.committed


async def test_a_wrong_password_commits_to_nothing(provider, tenant):
    deadline = within(2.0)
    with pytest.raises(IncorrectPassword):
        await provider.passwords.change(caller(tenant), "wrong", "Another-long-Passw0rd!")
    assert not deadline.committed


async def test_a_read_begun_after_a_write_does_not_join_one_begun_before(provider, tenant):
    tenant.faults.add("delay", "users.get", seconds=0.4, times=1)
    before = asyncio.create_task(provider.directory.resolve("auth0|ada"))
    await until(lambda: tenant.records.count("users.get") > 0)
    await provider.profiles.update_metadata(caller(tenant), {"city": "Oslo"})
    after = await provider.directory.resolve("auth0|ada")
    assert after.user_metadata["city"] == "Oslo"
    assert tenant.records.count("users.get") == 2
    await before
