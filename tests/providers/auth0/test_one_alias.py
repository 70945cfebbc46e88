# SPDX-License-Identifier: MIT
"""One alias an account and domain, however many replicas are asked at once, and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from loguru import logger

from app.domain.errors import AlreadyClaimed, ProviderUnavailable
from app.domain.users import Address
from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.providers.auth0.conftest import ready, within
from tests.providers.auth0.users import addresses, stubs
from tests.support.waiting import until

CLAIMS = 50
FIRST, SECOND = Address("first@linux.com"), Address("second@linux.com")


@pytest.fixture
def errors():
    """What is logged as an error."""
    messages = []
    handler = logger.add(lambda message: messages.append(message.record["message"]), level="ERROR")
    yield messages
    logger.remove(handler)


def aliases(tenant, who="ada"):
    return [address for address in addresses(tenant, who) if address.endswith("@linux.com")]


def link_first(tenant, who="ada"):
    """Let somebody else's claim be through first."""
    account = tenant.user(who)
    alias = {"connection": "email", "provider": "email", "user_id": "1st", "isSocial": False}
    alias["profileData"] = {"email": FIRST, "email_verified": True}
    tenant.accounts.change(account, identities=[*account.profile["identities"], alias])


def claim(tenant, alias):
    return {"user": {"auth_token": tenant.access_token("ada")}, "alias": alias, "domain": "linux.com"}


async def test_of_fifty_claims_at_once_over_three_replicas_one_is_granted(tenant, on_nats, errors):
    on_nats.setenv("REQUEST_TIMEOUT", "60s")
    async with AsyncExitStack() as replicas:
        first, *_ = [await replicas.enter_async_context(on_the_bus()) for _ in range(3)]
        tenant.faults.latency = 0.02
        replies = await first.ask_all({f"add_alias {n}": claim(tenant, f"ada.{n}") for n in range(CLAIMS)})
    granted = [reply["email"] for reply in replies.values() if isinstance(reply, dict)]
    assert sorted(reply for reply in replies.values() if isinstance(reply, str)) == ["already_claimed"] * (CLAIMS - 1)
    assert aliases(tenant) == granted
    assert stubs(tenant) == []
    assert errors == []


async def test_of_fifty_claims_at_once_that_nobody_puts_in_order_one_is_granted(tenant, opened, environment, errors):
    """As when each came to another replica: none knows of another one in its process."""
    environment.setenv("REQUEST_TIMEOUT", "60s")
    async with AsyncExitStack() as replicas:
        providers = [await replicas.enter_async_context(opened()) for _ in range(3)]
        for provider in providers:
            await ready(provider)
        user = await providers[0].directory.by_subject("auth0|ada")
        tenant.faults.latency = 0.02
        outcomes = await asyncio.gather(
            *(providers[n % 3].aliases.claim(user, Address(f"ada.{n}@linux.com")) for n in range(CLAIMS)),
            return_exceptions=True,
        )
    granted = [f"ada.{n}@linux.com" for n, outcome in enumerate(outcomes) if outcome is None]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [AlreadyClaimed] * (CLAIMS - 1)
    assert aliases(tenant) == granted
    assert stubs(tenant) == []
    assert errors == []


async def test_of_claims_of_one_address_by_one_account_one_is_granted(tenant, on_nats):
    on_nats.setenv("REQUEST_TIMEOUT", "60s")
    async with AsyncExitStack() as replicas:
        first, *_ = [await replicas.enter_async_context(on_the_bus()) for _ in range(3)]
        tenant.faults.latency = 0.02
        replies = await first.ask_all({f"add_alias {n}": claim(tenant, "ada.l") for n in range(12)})
    assert [reply for reply in replies.values() if isinstance(reply, dict)] == [
        {"success": True, "email": "ada.l@linux.com"}
    ]
    assert {reply for reply in replies.values() if isinstance(reply, str)} <= {"already_claimed", "alias_not_available"}
    assert aliases(tenant) == ["ada.l@linux.com"]
    assert stubs(tenant) == []


async def test_the_alias_that_is_first_stays_and_the_other_is_taken_back(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    link_first(tenant)
    with pytest.raises(AlreadyClaimed):
        await provider.aliases.claim(user, SECOND)
    assert aliases(tenant) == [FIRST]
    assert stubs(tenant) == []
    # Taken back whole: somebody else can have it.
    await provider.aliases.claim(await provider.directory.by_subject("auth0|grace.hopper"), SECOND)
    assert aliases(tenant, "grace.hopper") == [SECOND]


async def test_an_alias_is_taken_back_when_the_primary_address_has_come_into_its_domain(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.accounts.change(tenant.user("ada"), email=FIRST)
    with pytest.raises(AlreadyClaimed):
        await provider.aliases.claim(user, SECOND)
    assert aliases(tenant) == stubs(tenant) == []


async def test_the_first_alias_stays_though_another_comes_behind_it(provider, tenant):
    user = await provider.directory.by_subject("auth0|ada")
    tenant.faults.add("delay", "identities.link", seconds=0.5, times=1)  # linked at once, told later
    one = asyncio.create_task(provider.aliases.claim(user, SECOND))
    await until(lambda: aliases(tenant) == [SECOND])
    link_first(tenant)
    await one
    assert aliases(tenant) == [SECOND, FIRST]  # whoever claimed the other one takes it back


async def test_an_alias_stays_when_it_cannot_be_seen_whether_there_is_another(provider, tenant, errors):
    """To take it back unseen could leave the account with none: the other one may do the same."""
    user = await provider.directory.by_subject("auth0|ada")
    within(0.6)
    tenant.faults.status(503, "users.get")
    with pytest.raises(ProviderUnavailable):
        await provider.aliases.claim(user, SECOND)
    assert aliases(tenant) == [SECOND]
    assert errors == ["whether an account has another alias in the domain is unknown"]


TAKING_BACK = {
    "refused": {"kind": "reply", "status": 403},
    "failed": {"kind": "reply", "status": 500},
    "reset": {"kind": "reset"},
    "reset after it was done": {"kind": "reset", "acts": True},
}


@pytest.mark.parametrize("failure", TAKING_BACK)
@pytest.mark.parametrize("step", ["identities.unlink", "users.delete"])
@pytest.mark.usefixtures("on_nats")
async def test_what_could_not_be_taken_back_is_told_to_the_operator(provider, tenant, errors, step, failure):
    user = await provider.directory.by_subject("auth0|ada")
    link_first(tenant)
    tenant.faults.add(on=step, **TAKING_BACK[failure])
    with pytest.raises(AlreadyClaimed):
        await provider.aliases.claim(user, SECOND)
    assert aliases(tenant)[0] == FIRST
    done = failure == "reset after it was done"
    left_linked = step == "identities.unlink" and not done
    left_alone = step == "users.delete" and not done
    assert errors == (
        ["an e-mail identity too many could not be taken back"] * left_linked
        + ["a half-made e-mail identity could not be removed"] * left_alone
    )
    assert (aliases(tenant) == [FIRST]) is not left_linked
    assert len(stubs(tenant)) == left_alone
    assert tenant.records.count(step) == (3 if failure in {"failed", "reset"} else 1)


@pytest.mark.parametrize("failure", ["failed", "reset", "reset after it was done"])
@pytest.mark.parametrize("step", ["identities.unlink", "users.delete"])
@pytest.mark.usefixtures("on_nats")
async def test_an_alias_is_taken_back_whole_though_a_step_fails_twice(provider, tenant, errors, step, failure):
    """What is unlinked has no mark of the platform: no later claim would take it up."""
    user = await provider.directory.by_subject("auth0|ada")
    link_first(tenant)
    tenant.faults.add(on=step, times=2, **TAKING_BACK[failure])
    with pytest.raises(AlreadyClaimed):
        await provider.aliases.claim(user, SECOND)
    assert aliases(tenant) == [FIRST]
    assert stubs(tenant) == errors == []
    # A write that was made is seen by the read that follows, and is not repeated.
    assert tenant.records.count(step) == (1 if failure == "reset after it was done" else 3)
    await provider.aliases.claim(await provider.directory.by_subject("auth0|grace.hopper"), SECOND)
    assert aliases(tenant, "grace.hopper") == [SECOND]


@pytest.mark.usefixtures("on_nats")
async def test_an_owner_can_remove_neither_alias_of_two(tenant):
    """Two may be left when the reading failed or a replica died; that is the operator's to mend."""
    link_first(tenant)
    async with on_the_bus(request_timeout="5s") as bus:
        unlink = {"provider": "email", "identity_id": "1st"}
        body = {"user": {"auth_token": tenant.access_token("ada")}, "unlink": unlink}
        assert await bus.ask("user_identity.unlink", body) == "system_managed_identity"
        tenant.faults.status(503, "users.get")
        assert await bus.ask("add_alias", claim(tenant, "second")) == UNAVAILABLE
