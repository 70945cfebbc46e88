# SPDX-License-Identifier: MIT
"""The spellings of an address are one address: whoever has it in one has it in all, and it is shown as it was sent."""

from __future__ import annotations

import pytest

from tests.support.contract import OWN_CODES, SUBJECT, TOKEN, data, done, failure, only_on
from tests.support.people import grace, linus

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPELLINGS = (
    "jörg@bücher.example",
    "jo\u0308rg@bu\u0308cher.example",
    "JÖRG@xn--bcher-kva.EXAMPLE",
    "jo\u0308rg@XN--bcher-kva.example",
)
FIRST = SPELLINGS[0]
OTHERS = SPELLINGS[1:]
LINKED = failure("email already linked")


async def link(place, address, person):
    """Verify an address and link it."""
    assert (await place.ask("email_linking.send_verification", address))["success"]
    code = place.world.code_sent_to(address.lower())
    proof = await place.ask("email_linking.verify", {"email": address, "otp": code})
    body = {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": proof["data"]["id_token"]}}
    assert await place.ask("user_identity.link", body, person) == done("identity linked successfully")


async def addresses(place, person):
    return await place.ask("user_emails.read", {"user": {"auth_token": SUBJECT}}, person)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_an_alternate_is_found_and_taken_in_every_spelling(fresh, spelling):
    await link(fresh, spelling, grace)
    for other in SPELLINGS:
        assert await fresh.ask("email_to_sub", other) == "auth0|grace.hopper"
        assert await fresh.ask("email_to_username", f" {other.upper()}\n") == "grace.hopper"
        assert await fresh.ask("email_linking.send_verification", other) == LINKED
        assert await fresh.ask("email_linking.verify", {"email": other, "otp": "123456"}) == LINKED
    shown = (await addresses(fresh, grace))["data"]
    assert shown["alternate_emails"] == [{"email": spelling.lower(), "verified": True}]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_primary_is_found_and_stays_in_every_spelling(fresh, spelling):
    await link(fresh, FIRST, linus)
    change = {"user": {"auth_token": TOKEN}, "email": spelling}
    assert await fresh.ask("user_emails.set_primary", change, linus) == done("primary email updated successfully")
    before = await addresses(fresh, linus)
    for other in SPELLINGS:
        assert await fresh.ask("email_to_sub", other) == "auth0|linus_t"
        assert await fresh.ask("email_linking.send_verification", other) == LINKED
        again = {"user": {"auth_token": TOKEN}, "email": other}
        assert await fresh.ask("user_emails.set_primary", again, linus) == done("primary email updated successfully")
    assert await addresses(fresh, linus) == before
    # As it was verified, not as it was asked for: to the provider another spelling may be another address.
    assert before["data"]["primary_email"] == FIRST


async def test_a_plain_address_is_made_primary_by_a_spelling_that_looks_like_it_and_stays_plain(fresh):
    await link(fresh, "linus@plain.example", linus)
    change = {"user": {"auth_token": TOKEN}, "email": "linus@\uff50lain\u3002example"}
    assert await fresh.ask("user_emails.set_primary", change, linus) == done("primary email updated successfully")
    assert (await addresses(fresh, linus))["data"]["primary_email"] == "linus@plain.example"
    assert await fresh.ask("email_to_sub", "linus@plain.example") == "auth0|linus_t"


async def test_neighbours_are_nobody(fresh):
    await link(fresh, FIRST, grace)
    for other in (
        "jorg@bücher.example",
        "jörg@bucher.example",
        "jörg@xn--bcher-kva.example.org",
        "xn--jrg-sna@bücher.example",
    ):
        assert await fresh.ask("email_to_sub", other) == failure("user not found")


@only_on(*OWN_CODES)
async def test_a_code_and_what_is_counted_are_of_all_spellings_together(fresh):
    await fresh.ask("email_linking.send_verification", FIRST)
    code = fresh.world.code_sent_to(FIRST)
    for other in (*OTHERS, OTHERS[0]):
        await fresh.ask("email_linking.send_verification", other)
    too_many = failure("too many verification requests, try again later")
    assert await fresh.ask("email_linking.send_verification", OTHERS[1]) == too_many
    wrong = "000000" if code != "000000" else "111111"
    guesses = [
        await fresh.ask("email_linking.verify", {"email": one, "otp": wrong}) for one in (*SPELLINGS, FIRST, FIRST)
    ]
    assert guesses[-1] == failure("too many attempts, request a new code")


@only_on(*OWN_CODES)
async def test_a_code_that_was_sent_to_one_spelling_is_right_for_another(fresh):
    await fresh.ask("email_linking.send_verification", OTHERS[0])
    code = fresh.world.code_sent_to(OTHERS[0])
    proof = await fresh.ask("email_linking.verify", {"email": FIRST, "otp": code})
    token = proof["data"]["id_token"]
    link = {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": token}}
    assert await fresh.ask("user_identity.link", link, grace) == done("identity linked successfully")
    # An address that is the account's already, in whichever spelling, is linked.
    assert await fresh.ask("user_identity.link", link, grace) == done("identity linked successfully")
    listed = await fresh.ask("user_identity.list", {"user": {"auth_token": SUBJECT}}, grace)
    assert listed == data(
        [
            *listed["data"][:-1],
            {
                "provider": "email",
                "user_id": FIRST,
                "isSocial": False,
                "profileData": {"email": FIRST, "email_verified": True},
            },
        ]
    )
