# SPDX-License-Identifier: MIT
"""Two services that are told to differ, in every way that there is, and what the command says of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter

import pytest

from tests.cli.compare.command import beside, compare
from tests.support.answering import EMAILS, IDENTITIES, METADATA, REPLIES, encoded

ALL = b"ada@example.org\nada\nauth0|ada\neyJhbGciOiJSUzI1NiJ9.e30.c2ln\n"


def changed(reply, change):
    copy = json.loads(json.dumps(reply))
    change(copy)
    return copy


async def says_twice(client, message):
    for _ in range(2):
        await client.publish(message.reply, b"auth0|ada")


async def says_late(client, message):
    await asyncio.sleep(0.3)
    await client.publish(message.reply, b"auth0|ada")


WAYS = {
    "another value of a look-up": ("email_to_sub", b"auth0|eda", "value", ""),
    "another value in JSON": (
        "user_metadata.read",
        changed(METADATA, lambda reply: reply["data"].update(city="Bergen")),
        "value",
        "data.city",
    ),
    "a failure": ("email_to_sub", {"success": False, "error": "user not found"}, "success or failure", ""),
    "another order": (
        "user_identity.list",
        changed(IDENTITIES, lambda reply: reply["data"].reverse()),
        "order",
        "data",
    ),
    "a field less": (
        "user_emails.read",
        changed(EMAILS, lambda reply: reply["data"].pop("primary_email")),
        "missing field",
        "data.primary_email",
    ),
    "a field more": (
        "user_emails.read",
        changed(EMAILS, lambda reply: reply["data"]["alternate_emails"][1].update(since="2026")),
        "further field",
        "data.alternate_emails[].since",
    ),
    "another type": (
        "user_identity.list",
        changed(IDENTITIES, lambda reply: reply["data"][1].update(user_id=1029)),
        "type",
        "data[].user_id",
    ),
    "null for nothing": (
        "user_metadata.read",
        changed(METADATA, lambda reply: reply["data"].update(bio=None)),
        "null or absent",
        "data.bio",
    ),
    "an item less": (
        "user_emails.read",
        changed(EMAILS, lambda reply: reply["data"]["alternate_emails"].pop()),
        "number of items",
        "data.alternate_emails",
    ),
    "quotes around a bare value": ("username_to_sub", b'"auth0|ada"', "form of the reply", ""),
    "an object for a bare value": ("email_to_username", {"success": True, "data": "ada"}, "form of the reply", ""),
    "an empty reply": ("email_to_username", b"", "value", ""),
    "what is no JSON": ("user_emails.read", b'{"success": tru', "form of the reply", ""),
    "what is no UTF-8": ("email_to_sub", b"\xff\xfe", "form of the reply", ""),
    "no reply": ("username_to_sub", None, "no answer", ""),
    "two replies": ("username_to_sub", says_twice, "more than one reply", ""),
}


NUMBERS = {f"way{number}": way for number, way in enumerate(WAYS)}
"""Whom to ask about for each way; the new service differs there, and nowhere else."""


def told(subject, usual):
    """The replies of the new service on one subject: to each way's request the way's own, and the usual ones."""

    async def reply(client, message):
        name = re.search(rb"way\d+", message.data)[0].decode()
        asked, other, *_ = WAYS[NUMBERS[name]]
        answer = other if asked == subject else usual
        if callable(answer):
            await answer(client, message)
        elif answer is not None:
            await client.publish(message.reply, encoded(answer))

    return reply


@pytest.fixture(scope="module")
def all_ways(nats):
    """One run in which the new service differs in every way, once each."""
    lines = "".join(f"{name}@example.org\n{name}\n" for name in NUMBERS).encode()
    new = {subject: told(subject, usual) for subject, usual in REPLIES.items()}
    with beside(nats.url, new=new):
        return compare(nats.url, lines, "--timeout", "1s", "--show")


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_differ_is_told(way, all_ways):
    subject, _, kind, where = WAYS[way]
    assert (subject, kind, where) in all_ways.kinds


def test_nothing_else_is_told(all_ways):
    expected = {(subject, kind, where) for subject, _, kind, where in WAYS.values()}
    assert all_ways.kinds == expected
    assert (all_ways.status, all_ways.report["verdict"]) == (1, "they differ")
    asked = {one["subject"]: one["asked"] for one in all_ways.report["subjects"]}
    assert asked == dict.fromkeys(REPLIES, len(WAYS))
    differ = Counter(subject for subject, _, kind, _ in WAYS.values() if kind != "more than one reply")
    assert {one["subject"]: one["differ"] for one in all_ways.report["subjects"]} == differ


def test_another_error_text_is_told_with_both(nats):
    old = {"user_metadata.read": {"success": False, "error": "no such person"}}
    new = {"user_metadata.read": {"success": False, "error": "user not found"}}
    with beside(nats.url, old=old, new=new):
        done = compare(nats.url, b"ada\n")
    (one,) = done.report["differences"]
    assert (done.status, one["kind"], one["count"]) == (1, "error text", 1)
    assert one["example"] == {"asked": "a****", "old": "no such person", "new": "user not found"}


def test_slower_answers_are_told_with_both_latencies(nats):
    with beside(nats.url, new={"email_to_sub": says_late}):
        done = compare(nats.url, b"ada@example.org\n" * 30)
    assert done.kinds == {("email_to_sub", "latency", "")}
    assert done.status == 1
    (look_up,) = [one for one in done.report["subjects"] if one["subject"] == "email_to_sub"]
    assert look_up["same"] == 30
    assert look_up["new"]["p50_ms"] >= 290 > look_up["old"]["p50_ms"]
    assert look_up["new"]["p99_ms"] >= look_up["new"]["p50_ms"]


def test_services_that_say_the_same_end_with_0(nats):
    with beside(nats.url) as (old, new):
        done = compare(nats.url, ALL)
    assert (done.status, done.report["verdict"], done.report["differences"]) == (0, "both say the same", [])
    assert done.report["asked"] == 12
    assert sorted(old.received) == sorted(new.received)


def test_key_order_and_white_space_of_json_are_no_difference(nats):
    reply = b'{ "data":{"name":"Ada Lovelace", "city":"Oslo"},"success":true}'
    with beside(nats.url, new={"user_metadata.read": reply}):
        done = compare(nats.url, ALL)
    assert (done.status, done.report["differences"]) == (0, [])


def other_at_first(reply):
    """Give that reply once, and the usual one from then on."""
    replies = [reply]

    async def answer(client, message):
        await client.publish(message.reply, replies.pop() if replies else json.dumps(METADATA).encode())

    return answer


def test_what_differs_only_for_a_moment_is_told_apart(nats):
    """A user was changed between the two answers."""
    changing = other_at_first(b'{"success":true,"data":{"city":"Bergen","name":"Ada Lovelace"}}')
    with beside(nats.url, new={"user_metadata.read": changing}):
        done = compare(nats.url, b"ada\n")
    (one,) = done.report["differences"]
    assert (done.status, one["passing"], one["wanted"], one["where"]) == (0, True, True, "data.city")


def test_a_failure_that_goes_away_is_a_difference(nats):
    """No write explains that a service failed once."""
    failing_once = other_at_first(b'{"success":false,"error":"internal error"}')
    with beside(nats.url, new={"user_metadata.read": failing_once}):
        done = compare(nats.url, b"ada\n")
    (one,) = done.report["differences"]
    assert (done.status, one["passing"], one["wanted"], one["kind"]) == (1, True, False, "success or failure")


def test_two_that_do_not_answer_have_not_said_the_same(nats):
    done = compare(nats.url, b"ada\n")
    assert done.status == 1
    assert {kind for _, kind, _ in done.kinds} == {"no answer"}
    assert done.report["differences"][0]["example"]["old"] == "nobody answers"
