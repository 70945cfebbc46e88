# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tests.support.contract import SUBJECT, USERNAME, Case, case, failure, on_every_provider
from tests.support.people import ada, case_matters, grace, lukasz, nomail, sam

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_ADDRESSES = {
    "no at sign": "ada.example.org",
    "no local part": "@example.org",
    "no domain": "ada@",
    "a display name": "Ada <ada@example.org>",
    "angle brackets": "<ada@example.org>",
    "a list": "ada@example.org, grace@example.org",
    "two at signs": "ada@@example.org",
    "a space inside": "ada @example.org",
    "a line feed inside": "ada@example.org\nBcc: x@example.org",
    "a NUL": "ada\x00@example.org",
    "a DEL": "ada\x7f@example.org",
    "a zero-width space": "ada\u200b@example.org",
    "a comment": "ada(comment)@example.org",
    "a leading dot": ".ada@example.org",
    "a doubled dot": "a..da@example.org",
    "255 characters": "a" * 243 + "@example.org",
    "JSON": '{"email": "ada@example.org"}',
    "quotes": '"ada@example.org"',
    "a number": "12345",
    "true": "true",
    "null": "null",
}


def _of_email(subject: str, hits: dict[str, tuple[str, object]]) -> list[Case]:
    return [
        *(case(subject, title, send=body, reply=reply) for title, (body, reply) in hits.items()),
        *(
            case(subject, f"{body!r} is empty", send=body, reply=failure("email is required"))
            for body in ("", " ", "\r\n\t")
        ),
        *(
            case(subject, f"no address: {title}", send=body, reply=failure("user not found"))
            for title, body in NOT_ADDRESSES.items()
        ),
        case(subject, "no UTF-8", send=b"\xff@example.org", reply=failure("user not found")),
        case(subject, "no UTF-8 at all", send=b"\xff\xfe", reply=failure("user not found")),
        case(subject, "nobody's address", send="nobody@example.org", reply=failure("user not found")),
        case(subject, "254 characters of nobody", send="a" * 242 + "@example.org", reply=failure("user not found")),
        case(subject, "an unverified alternate", send="ada@unverified.example", reply=failure("user not found")),
        case(
            subject, "the address of a social identity alone", send="ada@gmail.example", reply=failure("user not found")
        ),
    ]


CASES = [
    *_of_email(
        "email_to_username",
        {
            "a primary address": ("ada@example.org", "ada"),
            "other case, white space around": ("  ADA@Example.ORG \r\n", "ada"),
            "a verified alternate": ("ada@lovelace.example", "ada"),
            "a primary before somebody's verified alternate": ("grace@example.org", "grace.hopper"),
        },
    ),
    case("email_to_username", "a username beyond ASCII", send=lukasz.primary_email, reply="łukasz", as_=lukasz),
    case(
        "email_to_username",
        "a user without username",
        send=sam.primary_email,
        reply=failure("user not found"),
        as_=sam,
    ),
    *_of_email(
        "email_to_sub",
        {
            "a primary address": ("ada@example.org", "auth0|ada"),
            "other case, white space around": ("\tAda@EXAMPLE.org\n", "auth0|ada"),
            "a verified alternate": ("ada@lovelace.example", "auth0|ada"),
            "a primary before somebody's verified alternate": ("grace@example.org", "auth0|grace.hopper"),
        },
    ),
    case(
        "email_to_sub",
        "a user without username",
        send="sam@gmail.example",
        reply="google-oauth2|2048",
        on=("mock",),
    ),
    *(
        case("email_to_sub", f"of {person.subject}", send=person.primary_email, reply=SUBJECT, as_=person)
        for person in (lukasz, case_matters)
    ),
    *(
        case("username_to_sub", f"of {person.username}", send=USERNAME, reply=SUBJECT, as_=person)
        for person in (ada, grace, nomail, case_matters)
    ),
    case("username_to_sub", "beyond ASCII", send="łukasz", reply=lukasz.subject),
    case("username_to_sub", "of a social account's user", send=sam.primary_email.partition("@")[0], reply="auth0|sam"),
    *(
        case("username_to_sub", f"{body!r} is empty", send=body, reply=failure("username is required"))
        for body in ("", " ", "\r\n\t")
    ),
    *(
        case("username_to_sub", f"{body!r} is no UTF-8", send=body, reply=failure("username is required"))
        for body in (b"\xff", b"ada\xc3", b"\xed\xa0\x80")
    ),
    case("username_to_sub", "white space around", send=" \tada\r\n", reply="auth0|ada"),
]

HASHED = {
    '"x"': "422mGtr7bnN1pZRTFsS1pshW8UXJJF42pEbS3yoR3XkHSLhuZ9ucSs2r1fXXRyq8gm3B9nNSJYWrbjhmVbMJ1zyq",
    "{}": "o8PBbGHHxBxz7GNcf3uNahUj1Uv62f2cAvnN2UXqCJGJAUvALZKjFeoqyDMWDEo99FyvV9XR25EtgmU7NDJE2cL",
    "[]": "4ZpimgamZJVK79vXmhmsr7RwgJgV6Chcsd8kfrGgVAroj5BUFagn2JFDgn8ko5YXvLq1w1Xm5Dc48pbgZBeuGVj4",
    "-1": "2bYPsaWnpqD2KfNUWLKE7meTtEATChvUsYno8pBu8Be8XZNvthVvUuEUnCT8LLF2abriuSgyM5hVnxLENejersuy",
    "0": "zgA3RiM67Fb4w1mXdSeroZSfb5T7Gk5uwVLjuWsyd16PEu2jb3aHbNB95h28atSkc9EtCj2pfPARG5xaz85Zs1r",
    "ada@example.org": "3Bswaby5MqpEz5Y5xkCscn7oFjBT3XWzZE8o1nbEoCAK3yPLXpWi9BKoEA2J5pB1sErecuQ3psL8xPf6LTmH686s",
    "日本語": "2EqsF8anjXPi5ZyYFP8Q7jhFFHJS6smCqF8CiK9vK93sWUB8f7wECD2wfQ1EjRoDvcSsopfJ9gU5WzK5i1bokLkt",
}
CASES += [
    *(
        case("username_to_sub", f"{body} is text", send=body, reply=f"auth0|{body}")
        for body in ("12345", "true", "null", "1e5", "NaN", "1.0")
    ),
    *(
        case("username_to_sub", f"{body} is text", send=body, reply=f"auth0|{hashed}")
        for body, hashed in HASHED.items()
    ),
    *(
        case("user_metadata.read", f"{body} is text", send=body, reply=failure("user not found"))
        for body in ("12345", "true", "null", '"ada"', "{}", "[]")
    ),
]


@on_every_provider(CASES)
async def test_lookups(case, shared):
    await case.run(shared)
