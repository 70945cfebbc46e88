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
    case,
    data,
    empties,
    failure,
    malformed,
    on_every_provider,
    prefixed,
    wrong_types,
)
from tests.support.people import grace, lukasz, nobody, sam

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = "user_metadata.read"
UPDATE = "user_metadata.update"
MALFORMED = "failed to unmarshal user data"
ADA = {"name": "Ada Lovelace", "city": "London", "country": "GB"}
GOOD = {"token": TOKEN, "user_metadata": {"city": "Oslo"}}

LARGEST = "x" * 49_150
LONG = ["picture", "zoneinfo", "name", "given_name", "family_name", "job_title", "organization", "organization_domain"]
LONG += ["country", "state_province", "city", "address", "postal_code", "phone_number", "t_shirt_size"]

READS = [
    *(
        case(READ, f"by {title}", send=send, reply=data(ADA))
        for title, send in {
            "token": TOKEN,
            "JWT": JWT,
            "token after Bearer": prefixed("Bearer ", TOKEN),
            "JWT after bEARER": prefixed(" bEARER  ", JWT, "\n"),
            "subject": SUBJECT,
            "username": USERNAME,
            "username with white space around": prefixed(" \t", USERNAME, "\r\n"),
        }.items()
    ),
    case(READ, "by e-mail", send="ADA@example.org", reply=data(ADA), on=("mock",)),
    case(READ, "by verified alternate", send="ada@lovelace.example", reply=data(ADA), on=("mock",)),
    case(READ, "by unverified alternate", send="ada@unverified.example", reply=failure("user not found"), on=("mock",)),
    case(READ, "by what is no address", send="ada@@example.org", reply=failure("user not found"), on=("mock",)),
    case(READ, "without metadata", send=SUBJECT, as_=grace, reply=data({})),
    case(READ, "beyond ASCII", send=USERNAME, as_=lukasz, reply=data({"name": "Łukasz Żółć", "city": "Łódź"})),
    case(READ, "without username", send=SUBJECT, as_=sam, reply=data({})),
    *(case(READ, f"{body!r} is empty", send=body, reply=failure("input is required")) for body in ("", " ", "\n\t")),
    case(READ, "nobody's subject", send=SUBJECT, as_=nobody, reply=failure("user not found")),
    case(READ, "nobody's username", send=USERNAME, as_=nobody, reply=failure("user not found")),
    case(READ, "nobody's token", send=JWT, as_=nobody, reply=failure("user not found")),
    case(READ, "a username in other case", send="ADA", reply=failure("user not found")),
    case(READ, "the prefix of a token alone", send="Bearer ", reply=failure("user not found")),
    case(READ, "no UTF-8", send=b"\xff", reply=failure("user not found")),
    case(READ, "a subject that is no UTF-8", send=b"auth0|\xff", reply=failure("user not found")),
    case(READ, "a token that is no UTF-8", send=b"e30.e30.\xff", reply=failure("user not found")),
    case(READ, "dots", send="a.b.c", reply=failure("user not found")),
    case(READ, "an expired token", send=EXPIRED, reply=failure(EXPIRED_ERROR)),
]

REFUSALS = [
    *malformed(UPDATE, MALFORMED),
    *wrong_types(UPDATE, MALFORMED, GOOD, "token"),
    *wrong_types(UPDATE, MALFORMED, GOOD, "user_metadata", objects=True),
    *wrong_types(UPDATE, MALFORMED, GOOD, "user_metadata", "city"),
    *wrong_types(UPDATE, MALFORMED, GOOD, "user_metadata", "skills"),
    *empties(UPDATE, "token is required", GOOD, "token"),
    case(UPDATE, "a prefix and no token", send={**GOOD, "token": "Bearer  "}, reply=failure("token is required")),
    case(UPDATE, "token before user_metadata", send={}, reply=failure("token is required")),
    case(UPDATE, "user_metadata is missing", send={"token": TOKEN}, reply=failure("user_metadata is required")),
    case(
        UPDATE,
        "user_metadata is null",
        send={"token": TOKEN, "user_metadata": None},
        reply=failure("user_metadata is required"),
    ),
    case(
        UPDATE,
        "user_metadata before the token's worth",
        send={"token": "x"},
        reply=failure("user_metadata is required"),
    ),
    *(
        case(UPDATE, f"{title} is no token", send={**GOOD, "token": send}, reply=failure("invalid token"))
        for title, send in {
            "a subject": SUBJECT,
            "a username": USERNAME,
            "rubbish": "a.b.c",
            "an address": "ada@example.org",
        }.items()
    ),
    case(
        UPDATE,
        "a subject is no token, even with nothing to change",
        send={"token": SUBJECT, "user_metadata": {}},
        reply=failure("invalid token"),
    ),
    case(UPDATE, "an expired token", send={**GOOD, "token": EXPIRED}, reply=failure(EXPIRED_ERROR)),
    case(UPDATE, "nobody's token", send={**GOOD, "token": JWT}, as_=nobody, reply=failure("user not found")),
    case(
        UPDATE,
        "nobody's token, nothing to change",
        send={"token": JWT, "user_metadata": {}},
        as_=nobody,
        reply=failure("user not found"),
    ),
    *(
        case(UPDATE, f"nothing known is left: {title}", send={"token": TOKEN, "user_metadata": change}, reply=data(ADA))
        for title, change in {
            "empty": {},
            "nulls": {"city": None, "bio": None},
            "unknown": {"shoe_size": 43, "city ": "Oslo", "City": "Oslo"},
        }.items()
    ),
]


def _change(title: str, change: dict[str, object], **after: object):
    return case(UPDATE, title, send={"token": TOKEN, "user_metadata": change}, as_=grace, reply=data(after))


CHANGES = [
    case(UPDATE, "changes what is present", send=GOOD, reply=data({**ADA, "city": "Oslo"})),
    case(
        UPDATE,
        "takes a JWT after Bearer",
        send={**GOOD, "token": prefixed("BEARER ", JWT)},
        reply=data({**ADA, "city": "Oslo"}),
    ),
    case(
        UPDATE,
        "ignores whom else the request names",
        send={**GOOD, "user_id": "auth0|grace.hopper", "username": "grace.hopper", "sub": 5, "primary_email": ["x"]},
        reply=data({**ADA, "city": "Oslo"}),
    ),
    case(
        UPDATE,
        "null leaves a field as it is, empty is a value",
        send={"token": TOKEN, "user_metadata": {"city": None, "country": "", "unknown": {"deep": [1]}}},
        reply=data({**ADA, "country": ""}),
    ),
    case(UPDATE, "of a social account", send=GOOD, as_=sam, reply=data({"city": "Oslo"})),
    _change("trims", {"city": "  Łódź\t\n", "name": " \t "}, city="Łódź", name=""),
    _change("takes a bio of 2,000 code points", {"bio": "🦉" * 2_000}, bio="🦉" * 2_000),
    _change("cuts a bio at 2,000 code points", {"bio": "🦉" * 2_001 + "x"}, bio="🦉" * 2_000),
    _change("does not cut other fields", {"address": "x" * 5_000}, address="x" * 5_000),
    _change("skills: trimmed, without empty ones", {"skills": " go ,, rust\t, ,c ,"}, skills="go, rust, c"),
    _change("skills: the first spelling stays", {"skills": "Rust,RUST,straße,STRASSE,rust"}, skills="Rust, straße"),
    _change("skills: nothing", {"skills": " , ,, "}, skills=""),
    _change("skills: 50", {"skills": ",".join(str(n) for n in range(60))}, skills=", ".join(str(n) for n in range(50))),
    _change("skills: a single long one is cut", {"skills": "é" * 2_500}, skills="é" * 2_000),
    _change(
        "skills: whole ones up to 2,000 characters",
        {"skills": ",".join([f"{n:02}" + "x" * 98 for n in range(30)])},
        # 19 items of 100 characters with 18 separators of two: 1,936; one more would be 2,038.
        skills=", ".join([f"{n:02}" + "x" * 98 for n in range(19)]),
    ),
    _change(
        "skills: exactly 2,000 characters", {"skills": "a" * 999 + "," + "b" * 999}, skills="a" * 999 + ", " + "b" * 999
    ),
    _change("skills: one more than 2,000", {"skills": "a" * 999 + "," + "b" * 1_000}, skills="a" * 999),
    _change("skills: only 4,000 characters are looked at", {"skills": "a," * 2_000 + "b"}, skills="a"),
    _change("skills: the 4,000th is looked at", {"skills": "a," * 1_999 + " b"}, skills="a, b"),
    case(
        UPDATE,
        "fields that fill a reply",
        send={"token": TOKEN, "user_metadata": dict.fromkeys(LONG, LARGEST)},
        as_=grace,
        reply=data(dict.fromkeys(LONG, LARGEST)),
    ),
    *(
        case(
            UPDATE,
            f"a field that is too long: {title}",
            send={"token": TOKEN, "user_metadata": {"name": "Eve", "city": value}},
            reply=failure("failed to update user"),
        )
        for title, value in {
            "one character": LARGEST + "x",
            "of three bytes each": "\u6587" * 16_384,
            "escaped": "x" + "\x01" * 8_192 + "x",
            "a whole message": "x" * 1_000_000,
        }.items()
    ),
    case(
        UPDATE,
        "all seventeen fields",
        send={
            "token": TOKEN,
            "user_metadata": dict.fromkeys(
                [
                    "picture",
                    "zoneinfo",
                    "name",
                    "given_name",
                    "family_name",
                    "job_title",
                    "organization",
                    "organization_domain",
                    "country",
                    "state_province",
                    "city",
                    "address",
                    "postal_code",
                    "phone_number",
                    "t_shirt_size",
                    "bio",
                    "skills",
                ],
                "x",
            ),
        },
        reply=data(
            {
                "picture": "x",
                "zoneinfo": "x",
                "name": "x",
                "given_name": "x",
                "family_name": "x",
                "job_title": "x",
                "organization": "x",
                "organization_domain": "x",
                "country": "x",
                "state_province": "x",
                "city": "x",
                "address": "x",
                "postal_code": "x",
                "phone_number": "x",
                "t_shirt_size": "x",
                "bio": "x",
                "skills": "x",
            }
        ),
    ),
]


@on_every_provider([*READS, *REFUSALS])
async def test_metadata_as_it_is(case, shared):
    await case.run(shared)


@on_every_provider(CHANGES)
async def test_changes_of_metadata(case, fresh):
    await case.run(fresh)


async def test_a_change_is_seen_by_the_next_read(fresh):
    changed = {**ADA, "city": "Oslo"}
    assert await fresh.ask(UPDATE, GOOD) == {"success": True, "data": changed}
    for reference in (TOKEN, SUBJECT, USERNAME):
        assert await fresh.ask(READ, reference) == {"success": True, "data": changed}


async def test_changes_one_after_the_other_add_up(fresh):
    await fresh.ask(UPDATE, {"token": TOKEN, "user_metadata": {"city": "Oslo"}}, grace)
    await fresh.ask(UPDATE, {"token": TOKEN, "user_metadata": {"country": "NO"}}, grace)
    assert await fresh.ask(READ, SUBJECT, grace) == {"success": True, "data": {"city": "Oslo", "country": "NO"}}


async def test_nothing_is_changed_where_a_field_is_too_long(fresh):
    refused = await fresh.ask(UPDATE, {"token": TOKEN, "user_metadata": {"name": "Eve", "city": LARGEST + "x"}})
    assert refused == {"success": False, "error": "failed to update user"}
    assert await fresh.ask(READ, SUBJECT) == {"success": True, "data": ADA}
