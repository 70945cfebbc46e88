# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio

import pytest

from tests.contract.test_lookups import NOT_ADDRESSES
from tests.support.contract import (
    OWN_CODES,
    SUBJECT,
    TOKEN,
    case,
    data,
    done,
    empties,
    failure,
    malformed,
    on_every_provider,
    only_on,
    wrong_types,
)
from tests.support.people import ada, grace, linus

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEND = "email_linking.send_verification"
VERIFY = "email_linking.verify"
MALFORMED = "failed to unmarshal email data"
SENT = done("alternate email verification sent")
ALREADY = failure("email already linked")
NOT_FOUND = failure("verification code not found or expired")
WRONG = failure("invalid verification code")
NEW_CODE = failure("too many attempts, request a new code")
LATER = failure("too many attempts, try again later")
NEW = "johanna@new.example"


def _try(otp: object, email: object = NEW) -> dict[str, object]:
    return {"email": email, "otp": otp}


def _wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


async def _sent(place, address: str = NEW) -> str:
    assert await place.ask(SEND, address) == SENT
    return place.world.code_sent_to(address)


TAKEN = {
    "somebody's primary": "grace@example.org",
    "in other case": "  ADA@Example.org ",
    "a verified alternate": "ada@lovelace.example",
}
CASES = [
    *(
        case(SEND, f"{body!r} is empty", send=body, reply=failure("alternate email is required"))
        for body in ("", " ", "\r\n")
    ),
    *(
        case(SEND, f"no address: {title}", send=body, reply=failure("invalid email"))
        for title, body in NOT_ADDRESSES.items()
    ),
    case(SEND, "no UTF-8", send=b"\xff@example.org", reply=failure("invalid email")),
    *(case(SEND, f"taken: {title}", send=email, reply=ALREADY) for title, email in TAKEN.items()),
    *malformed(VERIFY, MALFORMED),
    *wrong_types(VERIFY, MALFORMED, _try("123456"), "email"),
    *wrong_types(VERIFY, MALFORMED, _try("123456"), "otp"),
    *empties(VERIFY, "invalid email", _try(""), "email"),
    *(
        case(VERIFY, f"no address: {title}", send=_try("", body), reply=failure("invalid email"))
        for title, body in NOT_ADDRESSES.items()
    ),
    *empties(VERIFY, "email and OTP are required", _try("", "grace@example.org"), "otp"),
    *(case(VERIFY, f"taken: {title}", send=_try("123456", email), reply=ALREADY) for title, email in TAKEN.items()),
    case(VERIFY, "no code was sent", send=_try("123456", "never@sent.example"), reply=NOT_FOUND, on=OWN_CODES),
]


@on_every_provider(CASES)
async def test_refusals(case, shared):
    await case.run(shared)


@pytest.mark.parametrize(
    "address", ["free@new.example", "ada@unverified.example", "ada@gmail.example", "a|b@new.example"]
)
async def test_a_code_is_sent_to_an_address_that_is_nobodys(fresh, address):
    assert await fresh.ask(SEND, address) == SENT


@only_on("mock")
async def test_a_code_has_six_digits_and_appears_once_in_the_log(fresh):
    code = await _sent(fresh, " Johanna@NEW.example\n")
    messages = [record["message"] for record in fresh.world.log.records() if code in str(record)]
    assert messages == [f"verification code for joh****@new.example: {code}"]


@only_on(*OWN_CODES)
async def test_the_right_code_is_exchanged_for_an_identity_token(fresh):
    code = await _sent(fresh)
    reply = await fresh.ask(VERIFY, _try(f" {code}\n", " JOHANNA@new.example "))
    token = reply["data"]["id_token"]
    assert token.count(".") == 2
    assert reply == data({"id_token": token, "token": token, "token_type": "Bearer", "expires_in": 3600})


@only_on(*OWN_CODES)
async def test_a_code_works_once(fresh):
    code = await _sent(fresh)
    await fresh.ask(VERIFY, _try(code))
    assert await fresh.ask(VERIFY, _try(code)) == NOT_FOUND


@only_on(*OWN_CODES)
async def test_a_code_is_of_one_address(fresh):
    code = await _sent(fresh)
    assert await fresh.ask(VERIFY, _try(code, "grace@new.example")) == NOT_FOUND


@only_on(*OWN_CODES)
async def test_a_new_code_replaces_the_one_before(fresh):
    first = await _sent(fresh)
    second = await _sent(fresh)
    if first == second:  # one in a million
        second = await _sent(fresh)
    assert await fresh.ask(VERIFY, _try(first)) == WRONG
    assert (await fresh.ask(VERIFY, _try(second)))["success"]


@only_on(*OWN_CODES)
@pytest.mark.parametrize(("seconds", "in_time"), [(299, True), (300, False)])
async def test_a_code_lives_five_minutes(fresh, seconds, in_time):
    code = await _sent(fresh)
    fresh.world.clock.now += seconds
    reply = await fresh.ask(VERIFY, _try(code))
    assert reply["success"] is True if in_time else reply == NOT_FOUND


@only_on(*OWN_CODES)
async def test_five_wrong_guesses_and_no_more_until_it_expires(fresh):
    code = await _sent(fresh)
    for _ in range(5):
        assert await fresh.ask(VERIFY, _try(_wrong(code))) == WRONG
    assert await fresh.ask(VERIFY, _try(_wrong(code))) == NEW_CODE
    assert await fresh.ask(VERIFY, _try(code)) == NEW_CODE
    fresh.world.clock.now += 300
    assert await fresh.ask(VERIFY, _try(code)) == NOT_FOUND
    assert (await fresh.ask(VERIFY, _try(await _sent(fresh))))["success"]


@only_on(*OWN_CODES)
async def test_the_fifth_guess_may_be_right(fresh):
    code = await _sent(fresh)
    for _ in range(4):
        await fresh.ask(VERIFY, _try(_wrong(code)))
    assert (await fresh.ask(VERIFY, _try(code)))["success"]


async def test_of_fifty_right_guesses_at_once_exactly_one_succeeds(fresh):
    code = await _sent(fresh)
    replies = await asyncio.gather(*(fresh.ask(VERIFY, _try(code)) for _ in range(50)))
    assert sum(reply["success"] for reply in replies) == 1


@only_on(*OWN_CODES)
async def test_of_fifty_wrong_guesses_at_once_five_are_compared(fresh):
    code = await _sent(fresh)
    replies = await asyncio.gather(*(fresh.ask(VERIFY, _try(_wrong(code))) for _ in range(50)))
    assert (replies.count(WRONG), replies.count(NEW_CODE)) == (5, 45)


@only_on(*OWN_CODES)
async def test_at_most_five_sends_an_hour_to_one_address(fresh):
    for _ in range(5):
        await _sent(fresh)
    too_many = failure("too many verification requests, try again later")
    assert await fresh.ask(SEND, NEW.upper()) == too_many
    assert await fresh.ask(SEND, "other@new.example") == SENT
    fresh.world.clock.now += 3_599
    assert await fresh.ask(SEND, NEW) == too_many
    fresh.world.clock.now += 1
    assert await fresh.ask(SEND, NEW) == SENT


@only_on(*OWN_CODES)
async def test_a_success_does_not_allow_more_sends(fresh):
    for _ in range(5):
        await fresh.ask(VERIFY, _try(await _sent(fresh)))
    assert await fresh.ask(SEND, NEW) == failure("too many verification requests, try again later")


async def _guess_wrong(place, times: int) -> None:
    for _ in range(times // 5):
        code = await _sent(place)
        for _ in range(5):
            assert await place.ask(VERIFY, _try(_wrong(code))) == WRONG
        place.world.clock.now += 720


@only_on(*OWN_CODES)
async def test_a_hundred_wrong_guesses_lock_an_address_for_a_day(fresh):
    await _guess_wrong(fresh, 100)
    fresh.world.clock.now -= 720
    for _ in range(2):
        assert await fresh.ask(SEND, NEW) == LATER
        assert await fresh.ask(VERIFY, _try("123456")) == LATER
        fresh.world.clock.now += 24 * 3_600 - 1
    assert await fresh.ask(SEND, "other@new.example") == SENT
    assert (await fresh.ask(VERIFY, _try(await _sent(fresh))))["success"]


@only_on(*OWN_CODES)
async def test_a_success_in_between_begins_the_count_anew(fresh):
    await _guess_wrong(fresh, 95)
    code = await _sent(fresh)
    for _ in range(4):
        assert await fresh.ask(VERIFY, _try(_wrong(code))) == WRONG
    assert (await fresh.ask(VERIFY, _try(code)))["success"]
    fresh.world.clock.now += 720
    await _guess_wrong(fresh, 5)
    assert await fresh.ask(SEND, NEW) == SENT


def _link(token: str) -> dict[str, object]:
    return {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": token}}


async def _proof(place, address: str = NEW) -> str:
    code = await _sent(place, address)
    return (await place.ask(VERIFY, _try(code, address)))["data"]["id_token"]


LINKED = done("identity linked successfully")
INVALID = failure("invalid identity token")


async def test_from_the_code_to_the_primary_address_and_back(fresh):
    assert await fresh.ask("user_identity.link", _link(await _proof(fresh)), linus) == LINKED
    assert await fresh.ask("email_to_sub", NEW) == "auth0|linus_t"
    assert await fresh.ask(SEND, NEW) == ALREADY
    primary = {"user": {"auth_token": TOKEN}, "email": NEW}
    assert (await fresh.ask("user_emails.set_primary", primary, linus))["success"]
    back = {"user": {"auth_token": TOKEN}, "email": "linus@example.com"}
    assert (await fresh.ask("user_emails.set_primary", back, linus))["success"]
    identity = {"provider": "email", "identity_id": await fresh.identity_id(NEW, linus)}
    gone = {"user": {"auth_token": TOKEN}, "unlink": identity}
    assert await fresh.ask("user_identity.unlink", gone, linus) == done("identity unlinked successfully")
    assert await fresh.ask("email_to_sub", NEW) == failure("user not found")
    assert await fresh.ask(SEND, NEW) == SENT


async def test_a_linked_address_is_a_verified_alternate(fresh):
    await fresh.ask("user_identity.link", _link(await _proof(fresh)), grace)
    addresses = await fresh.ask("user_emails.read", {"user": {"auth_token": SUBJECT}}, grace)
    assert addresses["data"]["alternate_emails"] == [{"email": NEW, "verified": True}]


@only_on(*OWN_CODES)
async def test_an_unverified_alternate_becomes_verified_in_its_place(fresh):
    proof = await _proof(fresh, "ada@unverified.example")
    assert await fresh.ask("user_identity.link", _link(proof), ada) == LINKED
    addresses = await fresh.ask("user_emails.read", {"user": {"auth_token": SUBJECT}}, ada)
    assert addresses["data"]["alternate_emails"] == [
        {"email": "ada@lovelace.example", "verified": True},
        {"email": "ada@unverified.example", "verified": True},
    ]


@only_on(*OWN_CODES)
async def test_the_same_proof_links_once_and_then_only_what_it_linked(fresh):
    proof = await _proof(fresh)
    assert await fresh.ask("user_identity.link", _link(proof), grace) == LINKED
    assert await fresh.ask("user_identity.link", _link(proof), grace) == LINKED
    assert await fresh.ask("user_identity.link", _link(proof), linus) == INVALID
    gone = {"user": {"auth_token": TOKEN}, "unlink": {"provider": "email", "identity_id": NEW}}
    await fresh.ask("user_identity.unlink", gone, grace)
    assert await fresh.ask("user_identity.link", _link(proof), grace) == INVALID


@only_on(*OWN_CODES)
async def test_two_proofs_of_one_address_and_one_claim(fresh):
    first, second = await _proof(fresh), await _proof(fresh)
    assert await fresh.ask("user_identity.link", _link(first), grace) == LINKED
    assert await fresh.ask("user_identity.link", _link(second), linus) == failure(
        "identity already linked to another user"
    )
    gone = {"user": {"auth_token": TOKEN}, "unlink": {"provider": "email", "identity_id": NEW}}
    await fresh.ask("user_identity.unlink", gone, grace)
    # The link that failed has not used the proof up.
    assert await fresh.ask("user_identity.link", _link(second), linus) == LINKED


@only_on(*OWN_CODES)
async def test_of_many_who_use_one_proof_at_once_exactly_one_wins(fresh):
    proof = await _proof(fresh)
    replies = await asyncio.gather(*(fresh.ask("user_identity.link", _link(proof), p) for p in (ada, grace, linus)))
    assert (replies.count(LINKED), replies.count(INVALID)) == (1, 2)


@only_on(*OWN_CODES)
@pytest.mark.parametrize(("seconds", "reply"), [(3_599, LINKED), (3_600, INVALID)])
async def test_a_proof_lives_an_hour(fresh, seconds, reply):
    proof = await _proof(fresh)
    fresh.world.clock.now += seconds
    token = {"user": {"auth_token": TOKEN}, "link_with": {"identity_token": "Bearer " + proof}}
    assert await fresh.ask("user_identity.link", token, grace) == reply


@only_on(*OWN_CODES)
async def test_a_proof_with_another_signature_is_none(fresh):
    proof = await _proof(fresh)
    head, claims, signature = proof.split(".")
    forged = ".".join([head, claims, signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")])
    assert await fresh.ask("user_identity.link", _link(forged), grace) == INVALID
