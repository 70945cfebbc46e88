# SPDX-License-Identifier: MIT
"""Each step of an alias and of a new primary e-mail fails once; whoever asks again gets what they wanted."""

from __future__ import annotations

import pytest
from loguru import logger

from tests.providers.auth0.bus import UNAVAILABLE, on_the_bus
from tests.providers.auth0.users import addresses, stubs
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("on_nats")

FAILURES = {
    "refused": {"kind": "reply", "status": 403},
    "failed": {"kind": "reply", "status": 500},
    "reset": {"kind": "reset"},
    "reset after it was done": {"kind": "reset", "acts": True},
    "without an end": {"kind": "hang"},
    "rate limited": {"kind": "reply", "status": 429},
}
LIMITED = "identity provider rate limit reached, try again later"
ALIAS = "ada.l@linux.com"
CLAIMED = {"success": True, "email": ALIAS}
CHANGED = {"success": True, "message": "primary email updated successfully"}
LATER = 61
STEPS = ("users.create", "identities.link", "users.update")


@pytest.fixture
def errors():
    """What is logged as an error."""
    messages = []
    handler = logger.add(lambda message: messages.append(message.record["message"]), level="ERROR")
    yield messages
    logger.remove(handler)


def claim(tenant):
    return {"user": {"auth_token": tenant.access_token("ada")}, "alias": "ada.l", "domain": "linux.com"}


def change(tenant):
    return {"user": {"auth_token": tenant.access_token("ada")}, "email": "ada@lovelace.example"}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_alias_whose_stub_was_not_made_can_be_claimed_again(tenant, failure, errors):
    async with on_the_bus(now=tenant.now, request_timeout="5s" if failure == "rate limited" else "") as bus:
        tenant.faults.add(on="users.create", **FAILURES[failure])
        first = await bus.ask("add_alias", claim(tenant))
        assert first != CLAIMED
        tenant.faults.clear()
        if failure == "reset after it was done":
            # Nobody knows whose stub it is, until it is too old for a claim in flight.
            assert await bus.ask("add_alias", claim(tenant)) == "alias_not_available"
            assert errors == ["an e-mail identity may have been made and left"]
            tenant.skew = LATER
        else:
            assert stubs(tenant) == []
        while (again := await bus.ask("add_alias", claim(tenant))) == LIMITED:
            pass  # until the pause is over that the limit has taught
        assert again == CLAIMED
    assert addresses(tenant).count(ALIAS) == 1
    assert stubs(tenant) == []


@pytest.mark.parametrize("failure", sorted(FAILURES.keys() - {"rate limited"}))
async def test_an_alias_that_was_not_linked_leaves_nothing_and_can_be_claimed_again(tenant, failure, errors):
    async with on_the_bus() as bus:
        tenant.faults.add(on="identities.link", **FAILURES[failure])
        first = await bus.ask("add_alias", claim(tenant))
        await until(lambda: stubs(tenant) == [])  # after the reply, when its time was over
        if failure == "reset after it was done":
            assert first == CLAIMED
        else:
            assert first in {"failed to link email identity", "request timed out"}
            tenant.faults.clear()
            assert await bus.ask("add_alias", claim(tenant)) == CLAIMED
    assert addresses(tenant).count(ALIAS) == 1
    assert errors == []


async def test_an_alias_for_which_there_is_no_more_room_is_told_and_can_be_claimed_later(tenant, errors):
    async with on_the_bus(request_timeout="1s") as bus:
        tenant.faults.too_many("identities.link", retry_after="30")
        assert await bus.ask("add_alias", claim(tenant)) == "request timed out"
        await until(lambda: bool(errors))
    tenant.faults.clear()
    assert errors == ["a half-made e-mail identity could not be removed"]
    tenant.skew = LATER
    async with on_the_bus(now=tenant.now) as bus:
        assert await bus.ask("add_alias", claim(tenant)) == CLAIMED
    assert stubs(tenant) == []


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("step", ["GET /api/v2/users/email*", "users.delete"])
async def test_an_alias_that_could_not_be_undone_is_told_and_can_be_claimed_later(tenant, step, failure, errors):
    # A removal is tried three times, so no end of time belongs to it; all else is tried again until the time ends.
    few = step == "users.delete" and failure not in {"without an end", "rate limited"}
    done = step == "users.delete" and failure == "reset after it was done"
    async with on_the_bus(request_timeout="" if few else "1s") as bus:
        tenant.faults.status(500, on="identities.link")
        tenant.faults.add(on=step, **FAILURES[failure])
        assert await bus.ask("add_alias", claim(tenant)) in {"failed to link email identity", "request timed out"}
        await until(lambda: done or bool(errors))
    tenant.faults.clear()
    assert errors == ["a half-made e-mail identity could not be removed"] * (not done)
    tenant.skew = LATER
    async with on_the_bus(now=tenant.now) as bus:
        assert await bus.ask("add_alias", claim(tenant)) == CLAIMED
    assert addresses(tenant).count(ALIAS) == 1
    assert stubs(tenant) == []


@pytest.mark.parametrize(
    ("step", "failure"),
    # A rate limit on the link is one on the removal too.
    [(s, f) for s in STEPS for f in FAILURES if (s, f) != ("identities.link", "rate limited")],
)
async def test_a_new_primary_can_be_asked_for_again_whichever_step_failed(tenant, step, failure):
    done = failure == "reset after it was done"
    async with on_the_bus(request_timeout="5s" if failure == "rate limited" else "") as bus:
        tenant.faults.add(on=step, **FAILURES[failure])
        first = await bus.ask("user_emails.set_primary", change(tenant))
        if not done:
            assert tenant.user("ada").profile["email"] == "ada@example.org"
        if step == "identities.link":
            await until(lambda: stubs(tenant) == [])  # after the reply, when its time was over
        tenant.faults.clear()
        assert (first == CHANGED) is (done and step == "identities.link")
        while (again := await bus.ask("user_emails.set_primary", change(tenant))) == LIMITED:
            pass  # until the pause is over that the limit has taught
        assert again == CHANGED
    assert tenant.user("ada").profile["email"] == "ada@lovelace.example"
    assert addresses(tenant).count("ada@example.org") == 1
    assert stubs(tenant) == []


@pytest.mark.parametrize("step", ["users-by-email", "identities.link"])
async def test_a_passwordless_account_of_the_old_address_stays_when_it_cannot_be_linked(tenant, step):
    tenant.add_user("email|own", email="ada@example.org")
    async with on_the_bus(request_timeout="5s") as bus:
        tenant.faults.status(500, on=step)
        assert await bus.ask("user_emails.set_primary", change(tenant)) == UNAVAILABLE
    assert stubs(tenant) == ["email|own"]
    assert tenant.user("ada").profile["email"] == "ada@example.org"
    assert tenant.records.count("users.update") == tenant.records.count("users.delete") == 0


async def test_an_address_with_which_somebody_else_signs_in_is_not_taken_from_them(tenant):
    """The old address is a passwordless account to which another identity is linked: it is no mere address."""
    tenant.add_user("email|own", email="ada@example.org", social=[{"provider": "github", "user_id": 99}])
    async with on_the_bus() as bus:
        assert await bus.ask("user_emails.set_primary", change(tenant)) == "failed to set primary email"
    assert stubs(tenant) == ["email|own"]
    assert tenant.user("ada").profile["email"] == "ada@example.org"
