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
    identity,
    malformed,
    on_every_provider,
    only_on,
    prefixed,
    wrong_types,
)
from tests.support.people import ada, grace, linus, nobody, nomail, olaf, sam

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = "user_identity.list"
LINK = "user_identity.link"
UNLINK = "user_identity.unlink"
LIST_MALFORMED = "failed_to_unmarshal_request"
LINK_MALFORMED = "failed to unmarshal link identity request"
UNLINK_MALFORMED = "failed to unmarshal unlink identity request"
LINKED = done("identity linked successfully")
UNLINKED = done("identity unlinked successfully")
NEW = identity("google-oauth2|555", email="new@gmail.example", email_verified=True, nickname="new", name="New")


def _of(reference: object) -> dict[str, object]:
    return {"user": {"auth_token": reference}}


def _link(identity_token: object, token: object = TOKEN) -> dict[str, object]:
    return {"user": {"auth_token": token}, "link_with": {"identity_token": identity_token}}


def _unlink(provider: object, identity_id: object, token: object = TOKEN) -> dict[str, object]:
    return {"user": {"auth_token": token}, "unlink": {"provider": provider, "identity_id": identity_id}}


ADA = [
    {
        "provider": "google-oauth2",
        "user_id": "1029",
        "isSocial": True,
        "profileData": {
            "email": "ada@gmail.example",
            "email_verified": True,
            "nickname": "ada",
            "name": "Ada Lovelace",
        },
    },
    {"provider": "github", "user_id": "4711", "isSocial": True},
    {
        "provider": "email",
        "user_id": "ada@lovelace.example",
        "isSocial": False,
        "profileData": {"email": "ada@lovelace.example", "email_verified": True},
    },
    {
        "provider": "email",
        "user_id": "ada@unverified.example",
        "isSocial": False,
        "profileData": {"email": "ada@unverified.example"},
    },
]

LISTS = [
    *malformed(LIST, LIST_MALFORMED),
    *wrong_types(LIST, LIST_MALFORMED, _of(TOKEN), "user", objects=True),
    *wrong_types(LIST, LIST_MALFORMED, _of(TOKEN), "user", "auth_token"),
    *empties(LIST, "auth_token is required", _of(TOKEN), "user", "auth_token"),
    case(LIST, "no user", send={}, reply=failure("auth_token is required")),
    *(
        case(LIST, f"by {title}", send=_of(send), reply=data(ADA), on=("mock",))
        for title, send in {
            "token": TOKEN,
            "JWT after Bearer": prefixed("Bearer ", JWT),
            "subject": SUBJECT,
            "username": USERNAME,
            "e-mail": "ada@example.org",
        }.items()
    ),
    case(LIST, "none", send=_of(SUBJECT), as_=grace, reply=data([]), on=("mock",)),
    case(
        LIST,
        "a name alone",
        send=_of(SUBJECT),
        as_=sam,
        on=("mock",),
        reply=data(
            [
                {
                    "provider": "google-oauth2",
                    "user_id": "2048",
                    "isSocial": True,
                    "profileData": {"email": "sam@gmail.example", "email_verified": True, "name": "Sam Social"},
                }
            ]
        ),
    ),
    case(LIST, "nobody's subject", send=_of(SUBJECT), as_=nobody, reply=failure("user not found")),
    case(LIST, "nobody's token", send=_of(JWT), as_=nobody, reply=failure("user not found")),
    case(LIST, "an expired token", send=_of(EXPIRED), reply=failure(EXPIRED_ERROR)),
]

WITHOUT_SUBJECT = "invalid identity token: unable to extract subject"
OF_AN_ACCOUNT = "the provided identity token belongs to an existing LFID account and cannot be linked"
LINK_REFUSALS = [
    *malformed(LINK, LINK_MALFORMED),
    *wrong_types(LINK, LINK_MALFORMED, _link("x"), "user", objects=True),
    *wrong_types(LINK, LINK_MALFORMED, _link("x"), "link_with", objects=True),
    *wrong_types(LINK, LINK_MALFORMED, _link("x"), "user", "auth_token"),
    *wrong_types(LINK, LINK_MALFORMED, _link("x"), "link_with", "identity_token"),
    *empties(LINK, "auth_token is required", _link("x"), "user", "auth_token"),
    case(LINK, "auth_token before identity_token", send={}, reply=failure("auth_token is required")),
    *empties(LINK, "link_with identity token is required", _link("x", "no token"), "link_with", "identity_token"),
    case(LINK, "no link_with", send=_of("no token"), reply=failure("link_with identity token is required")),
    case(
        LINK,
        "link_with is null",
        send={**_of("x"), "link_with": None},
        reply=failure("link_with identity token is required"),
    ),
    *(
        case(LINK, f"{title}: before the token", send=_link(token, "no token"), reply=failure(WITHOUT_SUBJECT))
        for title, token in {
            "rubbish": "rubbish",
            "three parts": "a.b.c",
            "a bare subject": "google-oauth2|555",
            "no sub": identity(None),
            "an empty sub": identity(" "),
            "a sub that is a number": identity(5),
            "a sub that is a list": identity(["google-oauth2|555"]),
            "half a surrogate pair": identity("google-oauth2|555", name="\ud800"),
            "not ASCII": "ä.ö.ü",
            "too long": "x" * 20_000 + ".y.z",
        }.items()
    ),
    case(
        LINK,
        "an account's: before the token",
        send=_link(identity("auth0|grace.hopper"), "no token"),
        reply=failure(OF_AN_ACCOUNT),
    ),
    case(LINK, "one's own account's", send=_link(identity("auth0|ada")), reply=failure(OF_AN_ACCOUNT)),
    *(
        case(LINK, f"{title} is no token", send=_link(NEW, token), reply=failure("invalid token"))
        for title, token in {"a subject": SUBJECT, "a username": USERNAME, "rubbish": "x"}.items()
    ),
    case(LINK, "an expired token", send=_link(NEW, EXPIRED), reply=failure(EXPIRED_ERROR)),
    case(LINK, "nobody's token", send=_link(NEW, JWT), as_=nobody, reply=failure("user not found")),
    case(
        LINK,
        "an address by a token that is not ours",
        send=_link(identity("email|new@example.org")),
        reply=failure("invalid identity token"),
        on=("mock",),
    ),
    case(
        LINK,
        "the token before an address's proof",
        send=_link(identity("email|new@example.org"), "x"),
        reply=failure("invalid token"),
        on=("mock",),
    ),
    case(LINK, "a sub of one part", send=_link(identity("555")), reply=failure("invalid identity token"), on=("mock",)),
    case(
        LINK, "a sub without id", send=_link(identity("github|")), reply=failure("invalid identity token"), on=("mock",)
    ),
    case(
        LINK,
        "somebody else's",
        send=_link(identity("google-oauth2|1029")),
        as_=grace,
        reply=failure("identity already linked to another user"),
    ),
    case(
        LINK,
        "somebody's only one",
        send=_link(identity("google-oauth2|2048")),
        as_=grace,
        reply=failure("identity already linked to another user"),
        on=("mock",),
    ),
    case(LINK, "one's own: succeeds", send=_link(identity("google-oauth2|1029")), reply=LINKED),
    case(LINK, "one's own account: succeeds", send=_link(identity("google-oauth2|2048")), as_=sam, reply=LINKED),
]

UNLINK_REFUSALS = [
    *malformed(UNLINK, UNLINK_MALFORMED),
    *wrong_types(UNLINK, UNLINK_MALFORMED, _unlink("x", "y"), "user", objects=True),
    *wrong_types(UNLINK, UNLINK_MALFORMED, _unlink("x", "y"), "unlink", objects=True),
    *wrong_types(UNLINK, UNLINK_MALFORMED, _unlink("x", "y"), "user", "auth_token"),
    *wrong_types(UNLINK, UNLINK_MALFORMED, _unlink("x", "y"), "unlink", "provider"),
    *wrong_types(UNLINK, UNLINK_MALFORMED, _unlink("x", "y"), "unlink", "identity_id"),
    *empties(UNLINK, "auth_token is required", _unlink("", ""), "user", "auth_token"),
    case(UNLINK, "the token before the provider", send=_unlink("", "", "x"), reply=failure("invalid token")),
    case(UNLINK, "a subject is no token", send=_unlink("github", "4711", SUBJECT), reply=failure("invalid token")),
    case(
        UNLINK,
        "an expired token before the provider",
        send=_unlink("", "", EXPIRED),
        reply=failure(EXPIRED_ERROR),
    ),
    *empties(UNLINK, "provider is required", _unlink("x", ""), "unlink", "provider"),
    case(UNLINK, "no unlink", send=_of(TOKEN), reply=failure("provider is required")),
    case(UNLINK, "unlink is null", send={**_of(TOKEN), "unlink": None}, reply=failure("provider is required")),
    *empties(UNLINK, "identity_id is required", _unlink("github", "x"), "unlink", "identity_id"),
    *(
        case(UNLINK, f"not on the account: {title}", send=_unlink(*which), reply=failure("identity not found"))
        for title, which in {
            "another id": ("github", "4712"),
            "another provider": ("gitlab", "4711"),
            "a provider longer than any": ("g" * 2_000, "4711"),
            "an id longer than any": ("email", "İ" * 2_000),
            "somebody else's": ("google-oauth2", "2048"),
            "somebody else's address": ("email", "linus@work.example"),
            "the account itself": ("auth0", "ada"),
        }.items()
    ),
    case(
        UNLINK,
        "the account itself, when it is listed",
        send=_unlink("google-oauth2", "2048"),
        as_=sam,
        reply=failure("identity not found"),
        on=("mock",),
    ),
    case(
        UNLINK,
        "nobody's token",
        send=_unlink("github", "4711", JWT),
        as_=nobody,
        reply=failure("user not found"),
        on=("mock", "authelia"),
    ),
    case(UNLINK, "somebody else's alias", send=_unlink("email", "olaf@linux.com"), reply=failure("identity not found")),
]


@on_every_provider([*LISTS, *LINK_REFUSALS, *UNLINK_REFUSALS])
async def test_identities_as_they_are(case, shared):
    await case.run(shared)


async def test_linking_what_is_linked_already_changes_nothing(fresh):
    before = await fresh.ask(LIST, _of(SUBJECT))
    assert await fresh.ask(LINK, _link(identity("google-oauth2|1029", name="Another Name"))) == LINKED
    assert await fresh.ask(LIST, _of(SUBJECT)) == before


async def test_the_same_link_sent_several_times_at_once_succeeds_each_time_and_is_made_once(fresh):
    replies = await asyncio.gather(*(fresh.ask(LINK, _link(NEW)) for _ in range(5)))
    assert replies == [LINKED] * 5
    listed = (await fresh.ask(LIST, _of(SUBJECT)))["data"]
    assert [entry["user_id"] for entry in listed].count("555") == 1


async def test_a_linked_identity_is_listed_with_what_its_token_says(fresh):
    assert await fresh.ask(LINK, _link(NEW, prefixed("Bearer ", JWT)), nomail) == LINKED
    listed = await fresh.ask(LIST, _of(SUBJECT), nomail)
    assert listed["data"][-1] == {
        "provider": "google-oauth2",
        "user_id": "555",
        "isSocial": True,
        "profileData": {"email": "new@gmail.example", "email_verified": True, "nickname": "new", "name": "New"},
    }


async def test_a_linked_social_identity_adds_no_alternate_address(fresh):
    await fresh.ask(LINK, _link(NEW), grace)
    addresses = {"primary_email": "grace@example.org", "alternate_emails": []}
    assert await fresh.ask("user_emails.read", _of(SUBJECT), grace) == data(addresses)
    assert await fresh.ask("email_to_sub", "new@gmail.example") == failure("user not found")


@pytest.mark.parametrize("claims", [{"nickname": 5, "name": ["x"], "email": {}, "email_verified": "true"}, {}])
async def test_claims_of_a_wrong_type_are_left_out(fresh, claims):
    await fresh.ask(LINK, _link(identity("github|9", **claims)), nomail)
    listed = await fresh.ask(LIST, _of(SUBJECT), nomail)
    assert listed["data"][-1] == {"provider": "github", "user_id": "9", "isSocial": True}


async def test_an_id_may_hold_bars(fresh):
    await fresh.ask(LINK, _link(identity("oauth2|custom|77")), nomail)
    listed = await fresh.ask(LIST, _of(SUBJECT), nomail)
    assert listed["data"][-1] == {"provider": "oauth2", "user_id": "custom|77", "isSocial": True}


async def test_unlink_takes_what_list_gives(fresh):
    listed = (await fresh.ask(LIST, _of(SUBJECT)))["data"]
    account = [entry for entry in listed if entry["provider"] == "auth0"]
    for entry in listed[len(account) :]:
        assert await fresh.ask(UNLINK, _unlink(entry["provider"], entry["user_id"])) == UNLINKED
    assert await fresh.ask(LIST, _of(SUBJECT)) == data(account)
    assert await fresh.ask("email_to_sub", "ada@lovelace.example") == failure("user not found")


async def test_an_unlinked_identity_can_be_linked_to_somebody_else(fresh):
    assert await fresh.ask(UNLINK, _unlink(" github ", " 4711 ")) == UNLINKED
    assert await fresh.ask(UNLINK, _unlink("github", "4711")) == failure("identity not found")
    assert await fresh.ask(LINK, _link(identity("github|4711")), linus) == LINKED
    assert await fresh.ask(LINK, _link(identity("github|4711")), ada) == failure(
        "identity already linked to another user"
    )


@only_on(*WITH_ALIASES)
async def test_an_address_in_an_alias_domain_is_managed_by_the_system(shared):
    alias = await shared.identity_id("olaf@linux.com", olaf)
    refused = await shared.ask(UNLINK, _unlink("email", alias), olaf)
    assert refused == failure("system_managed_identity")
