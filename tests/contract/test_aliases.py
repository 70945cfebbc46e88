# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio

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
from tests.support.people import ada, grace, linus, maria, nobody, olaf

pytestmark = [pytest.mark.asyncio(loop_scope="module"), only_on(*WITH_ALIASES)]

ADD = "add_alias"
MALFORMED = "failed_to_unmarshal_request"


def _add(alias: object, domain: object = "linux.com", token: object = TOKEN) -> dict[str, object]:
    return {"user": {"auth_token": token}, "alias": alias, "domain": domain}


def _added(email: str) -> dict[str, object]:
    return {"success": True, "email": email}


RESERVED = [
    "postmaster",
    "abuse",
    "hostmaster",
    "admin",
    "administrator",
    "noreply",
    "no-reply",
    "root",
    "mailer-daemon",
    "linux",
    "linuxfoundation",
    "lf",
    "security",
    "support",
    "info",
    "webmaster",
    "ops",
    "devops",
    "itx-system",
    "board",
]
INVALID = {
    "empty": "",
    "blank": " \t ",
    "null": None,
    "65 characters": "a" * 65,
    "a leading dot": ".ada",
    "a trailing dot": "ada.",
    "a doubled dot": "a..da",
    "a control character": "a\x01da",
    "a DEL": "a\x7fda",
    "a NUL": "ada\x00",
    "beyond ASCII": "łada",
    "an emoji": "ada🦉",
    "a fullwidth letter": "\uff41da",
    **{f"a {character!r}": f"a{character}da" for character in '/*$^:()<>[];@\\,"  '},
}

CASES = [
    *malformed(ADD, MALFORMED),
    *wrong_types(ADD, MALFORMED, _add("x"), "user", objects=True),
    *wrong_types(ADD, MALFORMED, _add("x"), "user", "auth_token"),
    *wrong_types(ADD, MALFORMED, _add("x"), "alias"),
    *wrong_types(ADD, MALFORMED, _add("x"), "domain"),
    *empties(ADD, "auth_token is required", _add("", "nowhere.example"), "user", "auth_token"),
    case(ADD, "no user", send={"alias": "x", "domain": "nowhere.example"}, reply=failure("auth_token is required")),
    *empties(ADD, "domain_not_allowed", _add("", token="no token"), "domain"),
    *(
        case(
            ADD, f"{domain!r} before the token", send=_add("", domain, "no token"), reply=failure("domain_not_allowed")
        )
        for domain in ("nowhere.example", "x.linux.com", "linux.com.", "@linux.com", "linux.com,kernel.example")
    ),
    *(
        case(ADD, f"{title} is no token", send=_add("", token=token), reply=failure("invalid token"))
        for title, token in {"a subject": SUBJECT, "a username": USERNAME, "rubbish": "x"}.items()
    ),
    case(ADD, "an expired token", send=_add("", token=EXPIRED), reply=failure(EXPIRED_ERROR)),
    case(ADD, "nobody's token", send=_add("", token=JWT), as_=nobody, reply=failure("user not found")),
    case(
        ADD,
        "an alias as primary before an invalid one",
        send=_add(".", " LINUX.com "),
        as_=maria,
        reply=failure("already_claimed"),
    ),
    case(ADD, "an unverified one counts as well", send=_add("."), as_=olaf, reply=failure("already_claimed")),
    *(
        case(ADD, f"invalid: {title}", send=_add(alias), reply=failure("alias_invalid"))
        for title, alias in INVALID.items()
    ),
    case(
        ADD,
        "invalid: missing",
        send={"user": {"auth_token": TOKEN}, "domain": "linux.com"},
        reply=failure("alias_invalid"),
    ),
    *(case(ADD, f"reserved: {name}", send=_add(name), reply=failure("alias_reserved")) for name in RESERVED),
    case(
        ADD,
        "reserved: in other case, with white space around",
        send=_add("  PostMaster\n"),
        reply=failure("alias_reserved"),
    ),
    case(ADD, "somebody's primary", send=_add("maria"), reply=failure("alias_not_available")),
    case(ADD, "somebody's primary, in other case", send=_add(" MARIA "), reply=failure("alias_not_available")),
]

CLAIMS = [
    case(ADD, "lower-cased", send=_add(" Jane.DOE ", " Linux.COM "), reply=_added("jane.doe@linux.com")),
    case(ADD, "by JWT after Bearer", send=_add("jane", token=prefixed("Bearer ", JWT)), reply=_added("jane@linux.com")),
    case(
        ADD, "a domain configured in capitals", send=_add("jane", "KERNEL.example"), reply=_added("jane@kernel.example")
    ),
    case(
        ADD,
        "in a domain beside the one the account has",
        send=_add("maria", "kernel.example"),
        as_=maria,
        reply=_added("maria@kernel.example"),
    ),
    case(ADD, "64 characters", send=_add("a" * 64), reply=_added("a" * 64 + "@linux.com")),
    case(ADD, "one character", send=_add("a"), reply=_added("a@linux.com")),
    case(ADD, "all that an atom may hold", send=_add("!#%&'+-=?_`{|}~"), reply=_added("!#%&'+-=?_`{|}~@linux.com")),
    case(ADD, "a reserved name within a longer one", send=_add("root.ada"), reply=_added("root.ada@linux.com")),
    case(ADD, "an address that nobody has verified", send=_add("olaf"), reply=_added("olaf@linux.com")),
]


@on_every_provider(CASES)
async def test_refusals(case, shared):
    await case.run(shared)


@on_every_provider(CLAIMS)
async def test_claims(case, fresh):
    await case.run(fresh)


async def test_an_alias_is_a_verified_address_found_by_the_look_ups(fresh):
    assert await fresh.ask(ADD, _add("jane.doe"), grace) == _added("jane.doe@linux.com")
    assert await fresh.ask("email_to_sub", "Jane.Doe@linux.com") == "auth0|grace.hopper"
    assert await fresh.ask("email_to_username", "jane.doe@linux.com") == "grace.hopper"
    addresses = await fresh.ask("user_emails.read", {"user": {"auth_token": SUBJECT}}, grace)
    assert addresses == data(
        {"primary_email": "grace@example.org", "alternate_emails": [{"email": "jane.doe@linux.com", "verified": True}]}
    )


async def test_an_alias_can_become_primary_and_still_not_be_removed(fresh):
    await fresh.ask(ADD, _add("jane"), linus)
    primary = {"user": {"auth_token": TOKEN}, "email": "jane@linux.com"}
    identity = {"provider": "email", "identity_id": await fresh.identity_id("jane@linux.com", linus)}
    gone = {"user": {"auth_token": TOKEN}, "unlink": identity}
    assert await fresh.ask("user_identity.unlink", gone, linus) == failure("system_managed_identity")
    assert await fresh.ask("user_emails.set_primary", primary, linus) == done("primary email updated successfully")
    assert await fresh.ask("user_identity.unlink", gone, linus) == failure("system_managed_identity")
    assert await fresh.ask("email_to_sub", "jane@linux.com") == "auth0|linus_t"


async def test_one_alias_an_account_and_domain(fresh):
    assert await fresh.ask(ADD, _add("jane"), grace) == _added("jane@linux.com")
    assert await fresh.ask(ADD, _add("jane"), grace) == failure("already_claimed")
    assert await fresh.ask(ADD, _add("joan"), grace) == failure("already_claimed")
    assert await fresh.ask(ADD, _add("jane", "kernel.example"), grace) == _added("jane@kernel.example")


async def test_an_alias_is_taken_for_everybody_else(fresh):
    await fresh.ask(ADD, _add("jane"), grace)
    assert await fresh.ask(ADD, _add("JANE"), ada) == failure("alias_not_available")
    assert await fresh.ask("email_linking.send_verification", "jane@linux.com") == failure("email already linked")


async def test_of_two_claims_of_one_address_at_once_exactly_one_wins(fresh):
    replies = await asyncio.gather(*(fresh.ask(ADD, _add("jane"), person) for person in (ada, grace, linus)))
    assert replies.count(_added("jane@linux.com")) == 1
    assert replies.count(failure("alias_not_available")) == 2


async def test_of_two_claims_of_one_account_at_once_exactly_one_wins(fresh):
    replies = await asyncio.gather(*(fresh.ask(ADD, _add(f"jane{number}"), ada) for number in range(10)))
    assert sum(reply["success"] for reply in replies) == 1
    assert replies.count(failure("already_claimed")) == 9
