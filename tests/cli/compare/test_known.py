# SPDX-License-Identifier: MIT
"""The differences that are known: each is recognised by what both services say, and nothing like it is."""

from __future__ import annotations

import re

import pytest

from app.cli.compare.known import KNOWN
from tests.cli.compare.command import beside, compare
from tests.support.answering import NOT_FOUND, REPLIES, encoded

EMPTY = {"success": True, "data": {}}


def failure(text):
    return {"success": False, "error": text}


# What is known → who asks for what, what the Go service says, what this one says.
SEEN = {
    "identities by username, on Auth0": (
        "user_identity.list",
        failure("user_id is required to get user"),
        {"success": True, "data": []},
    ),
    "identities by username of nobody, on Auth0": (
        "user_identity.list",
        failure("user_id is required to get user"),
        NOT_FOUND,
    ),
    "`user_metadata.read` of a user without any": ("user_metadata.read", b'{"success":true,"data":null}', EMPTY),
    "`user_metadata.read` of a user with skills": (
        "user_metadata.read",
        EMPTY,
        {"success": True, "data": {"skills": "Go, C"}},
    ),
    "`email_to_username` of a user without a username": ("email_to_username", b"", NOT_FOUND),
    "an account that is not there": ("user_emails.read", failure("The user does not exist."), NOT_FOUND),
    "an expired token": (
        "user_metadata.read",
        failure("token has expired at 2026-01-31 12:00:00 +0000 UTC"),
        failure("token has expired"),
    ),
    "a token of another issuer": (
        "user_emails.read",
        failure("invalid issuer 'https://a/', expected 'https://b/'"),
        failure("invalid issuer"),
    ),
    "a token that cannot be read or lacks a claim": (
        "user_identity.list",
        failure("missing 'aud' claim in token"),
        failure("invalid token"),
    ),
    "an outage or a limit of the provider": (
        "email_to_sub",
        failure("failed to search user: 503 Service Unavailable"),
        failure("identity provider unavailable"),
    ),
    "an address in another spelling (IDNA, NFC)": ("email_to_sub", NOT_FOUND, b"auth0|ada"),
}
NUMBERS = {f"way{number}": what for number, what in enumerate(SEEN)}
UNKNOWN = {
    # The same two replies where the request is plain ASCII: somebody was not found, and is now.
    "a user whom the old one did not find": ("email_to_sub", NOT_FOUND, b"auth0|ada"),
    "a user whom the new one does not find": ("email_to_username", b"ada", NOT_FOUND),
    "an outage that looks like nobody": ("email_to_sub", failure("failed to search user: 503"), NOT_FOUND),
    "metadata that are gone": ("user_metadata.read", {"success": True, "data": {"city": "Oslo"}}, EMPTY),
    "a field that nobody knows": (
        "user_metadata.read",
        EMPTY,
        {"success": True, "data": {"shoe_size": "42"}},
    ),
    "an expired token that is taken": ("user_metadata.read", failure("token has expired at 12:00"), EMPTY),
    "a text that goes on": (
        "user_identity.list",
        failure("user_id is required to get user"),
        failure("user not found, ask somebody else"),
    ),
}


def telling(subject, which, cases, numbers):
    async def reply(client, message):
        found = re.search(rb"way\d+", message.data)[0].decode()
        asked, *replies = cases[numbers[found]]
        answer = replies[which] if asked == subject else REPLIES[subject]
        await client.publish(message.reply, encoded(answer))

    return reply


def compared(url, cases, numbers, local=""):
    lines = "".join(f"{name}{local}@example.org\n{name}\n" for name in numbers).encode()
    old, new = ({subject: telling(subject, which, cases, numbers) for subject in REPLIES} for which in (0, 1))
    with beside(url, old=old, new=new):
        return compare(url, lines)


def test_there_is_an_example_of_each():
    assert sorted(SEEN) == sorted(one.what for one in KNOWN)


def test_nothing_but_what_is_known_ends_with_0(nats):
    done = compared(nats.url, SEEN, NUMBERS, local="é")
    assert (done.status, done.report["verdict"]) == (0, "nothing differs but what is known")
    assert {one["known"]: one["subject"] for one in done.report["differences"]} == {
        what: subject for what, (subject, *_) in SEEN.items()
    }
    assert all(one["differ"] == 0 for one in done.report["subjects"])
    assert sum(one["known"] for one in done.report["subjects"]) == len(SEEN)


def test_what_only_looks_like_it_is_not_known(nats):
    numbers = {f"way{number}": what for number, what in enumerate(UNKNOWN)}
    done = compared(nats.url, UNKNOWN, numbers)
    assert done.status == 1
    assert [one for one in done.report["differences"] if one["wanted"]] == []
    assert sum(one["differ"] for one in done.report["subjects"]) == len(UNKNOWN)


@pytest.mark.parametrize("one", KNOWN, ids=lambda one: one.what)
def test_each_row_says_what_was_and_what_is(one):
    assert all([one.what, one.before, one.now])
    assert "|" not in one.what + one.before + one.now
