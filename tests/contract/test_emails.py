# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tests.support.contract import (
    EXPIRED,
    EXPIRED_ERROR,
    JWT,
    SUBJECT,
    TOKEN,
    USERNAME,
    WITH_ALIASES,
    case,
    data,
    done,
    empties,
    failure,
    malformed,
    on_every_provider,
    only_on,
    prefixed,
    wrong_types,
)
from tests.support.people import ada, case_matters, grace, linus, no_primary, nobody, nomail, olaf, sam

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = "user_emails.read"
SET = "user_emails.set_primary"
READ_MALFORMED = "failed_to_unmarshal_request"
SET_MALFORMED = "failed to unmarshal set primary email request"
DONE = done("primary email updated successfully")


def _of(reference: object) -> dict[str, object]:
    return {"user": {"auth_token": reference}}


def _set(email: object, token: object = TOKEN) -> dict[str, object]:
    return {"user": {"auth_token": token}, "email": email}


def _addresses(primary: str, *alternates: tuple[str, bool]) -> dict[str, object]:
    listed = [{"email": email, "verified": verified} for email, verified in alternates]
    return data({"primary_email": primary, "alternate_emails": listed})


ADA = _addresses("ada@example.org", ("ada@lovelace.example", True), ("ada@unverified.example", False))

READS = [
    *malformed(READ, READ_MALFORMED),
    *wrong_types(READ, READ_MALFORMED, _of(TOKEN), "user", objects=True),
    *wrong_types(READ, READ_MALFORMED, _of(TOKEN), "user", "auth_token"),
    *empties(READ, "auth_token is required", _of(TOKEN), "user", "auth_token"),
    case(READ, "no user", send={}, reply=failure("auth_token is required")),
    case(READ, "user is null", send={"user": None}, reply=failure("auth_token is required")),
    case(READ, "a prefix and no token", send=_of("bearer "), reply=failure("auth_token is required")),
    *(
        case(READ, f"by {title}", send=_of(send), reply=ADA)
        for title, send in {
            "token": TOKEN,
            "JWT": JWT,
            "token after Bearer": prefixed("bearer ", TOKEN),
            "subject": SUBJECT,
            "username": prefixed(" ", USERNAME, " "),
        }.items()
    ),
    case(READ, "by e-mail", send=_of("ada@example.org"), reply=ADA, on=("mock",)),
    case(READ, "unknown fields are ignored", send={**_of(SUBJECT), "more": [1], "email": 5}, reply=ADA),
    case(READ, "no alternates", send=_of(SUBJECT), as_=grace, reply=_addresses("grace@example.org")),
    case(READ, "no address at all", send=_of(SUBJECT), as_=nomail, reply=_addresses("")),
    case(
        READ, "social identities are no alternates", send=_of(SUBJECT), as_=sam, reply=_addresses("sam@gmail.example")
    ),
    case(READ, "nobody's subject", send=_of(SUBJECT), as_=nobody, reply=failure("user not found")),
    case(READ, "nobody's username", send=_of(USERNAME), as_=nobody, reply=failure("user not found")),
    case(READ, "nobody's token", send=_of(JWT), as_=nobody, reply=failure("user not found")),
    case(READ, "an expired token", send=_of(EXPIRED), reply=failure(EXPIRED_ERROR)),
]

REFUSALS = [
    *malformed(SET, SET_MALFORMED),
    *wrong_types(SET, SET_MALFORMED, _set("x@example.org"), "user", objects=True),
    *wrong_types(SET, SET_MALFORMED, _set("x@example.org"), "user", "auth_token"),
    *wrong_types(SET, SET_MALFORMED, _set("x@example.org"), "email"),
    *empties(SET, "auth_token is required", _set("x@example.org"), "user", "auth_token"),
    case(SET, "no user", send={"email": "x@example.org"}, reply=failure("auth_token is required")),
    case(SET, "user is null", send={"user": None, "email": "x@example.org"}, reply=failure("auth_token is required")),
    case(SET, "auth_token before email", send={}, reply=failure("auth_token is required")),
    *empties(SET, "email is required", _set("x@example.org", "no token"), "email"),
    case(SET, "the format before the token", send=_set("ada@", "no token"), reply=failure("invalid email format")),
    *(
        case(SET, f"{email!r} is no address", send=_set(email), reply=failure("invalid email format"))
        for email in ("ada", "Ada <ada@example.org>", "a@b, c@d", "ada@lovelace.example\nx", "a" * 243 + "@example.org")
    ),
    *(
        case(SET, f"{title} is no token", send=_set("nobody@example.org", token), reply=failure("invalid token"))
        for title, token in {"a subject": SUBJECT, "a username": USERNAME, "rubbish": "x"}.items()
    ),
    case(SET, "an expired token", send=_set("nobody@example.org", EXPIRED), reply=failure(EXPIRED_ERROR)),
    case(SET, "nobody's token", send=_set("x@example.org", JWT), as_=nobody, reply=failure("user not found")),
    *(
        case(SET, title, send=_set(email), reply=failure("email is not a linked identity on this account"))
        for title, email in {
            "an address of nobody": "nobody@example.org",
            "an address of somebody else": "grace@example.org",
            "a social identity's address": "ada@gmail.example",
        }.items()
    ),
    case(
        SET,
        "an unverified one",
        send=_set("ada@unverified.example"),
        reply=failure("email is not verified and cannot be set as primary"),
    ),
    case(SET, "the one that is primary already", send=_set(" ADA@Example.org "), reply=DONE),
    case(SET, "the primary of an account without identities", send=_set("grace@example.org"), as_=grace, reply=DONE),
]


@on_every_provider([*READS, *REFUSALS])
async def test_addresses_as_they_are(case, shared):
    await case.run(shared)


async def test_setting_the_primary_address_again_changes_nothing(fresh):
    assert await fresh.ask(SET, _set("ada@example.org")) == DONE
    assert await fresh.ask(READ, _of(SUBJECT)) == ADA


@only_on(*WITH_ALIASES)
async def test_the_previous_primary_stays_as_a_verified_alternate(fresh):
    assert await fresh.ask(SET, _set("  Ada@LOVELACE.example ", prefixed("Bearer ", JWT))) == DONE
    assert await fresh.ask(READ, _of(SUBJECT)) == _addresses(
        "ada@lovelace.example",
        ("ada@lovelace.example", True),
        ("ada@unverified.example", False),
        ("ada@example.org", True),
    )
    assert await fresh.ask("email_to_sub", "ada@lovelace.example") == "auth0|ada"
    assert await fresh.ask("email_to_sub", "ada@example.org") == "auth0|ada"


@only_on(*WITH_ALIASES)
async def test_the_primary_address_wanders_to_and_fro_without_leaving_doubles(fresh):
    for address in ("linus@work.example", "linus@example.com", "linus@work.example"):
        assert await fresh.ask(SET, _set(address), linus) == DONE
    assert await fresh.ask(READ, _of(SUBJECT), linus) == _addresses(
        "linus@work.example", ("linus@work.example", True), ("linus@example.com", True)
    )


async def test_the_previous_primary_can_be_removed_later(fresh):
    await fresh.ask(SET, _set("linus@work.example"), linus)
    identity = {"provider": "email", "identity_id": await fresh.identity_id("linus@example.com", linus)}
    gone = {"user": {"auth_token": TOKEN}, "unlink": identity}
    assert await fresh.ask("user_identity.unlink", gone, linus) == done("identity unlinked successfully")
    assert await fresh.ask("email_to_sub", "linus@example.com") == failure("user not found")


async def test_an_account_keeps_its_unverified_alternate_when_its_primary_moves_away_and_back(fresh):
    assert await fresh.ask(SET, _set("olaf@linux.com"), olaf) == failure(
        "email is not verified and cannot be set as primary"
    )
    assert await fresh.ask(READ, _of(SUBJECT), olaf) == _addresses("olaf@example.org", ("olaf@linux.com", False))


async def test_usernames_are_matched_with_their_case(shared):
    assert await shared.ask(READ, _of(USERNAME), case_matters) == _addresses("capital@example.org")
    assert await shared.ask(READ, _of(USERNAME), ada) == ADA


@only_on(*WITH_ALIASES)
async def test_an_account_without_a_primary_address_keeps_none(fresh):
    assert await fresh.ask(SET, _set("only@example.org"), no_primary) == DONE
    assert await fresh.ask(READ, _of(SUBJECT), no_primary) == _addresses("only@example.org", ("only@example.org", True))
