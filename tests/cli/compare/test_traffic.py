# SPDX-License-Identifier: MIT
"""What is heard of callers, what is asked of it, and that no caller notices."""

from __future__ import annotations

import asyncio
import json
import signal

from tests.benchmarks.load import Load, Order
from tests.cli.compare.command import NEW, OLD, end, start
from tests.support.answering import answering
from tests.support.raw_client import connect
from tests.support.waiting import until

SECONDS = 1.0
"""Of load; `make bench ARGS="--only comparing --seconds 3600"` is an hour of it."""
READS = {
    "email_to_username": b"ada@example.org",
    "email_to_sub": b"ada@example.org",
    "username_to_sub": b"ada",
    "user_metadata.read": b"ada",
    "user_emails.read": b'{"user":{"auth_token":"ada"}}',
    "user_identity.list": b'{"user":{"auth_token":"ada"}}',
}
OTHERS = {
    "user_metadata.update": b'{"token":"ada-token","user_metadata":{"city":"Oslo"}}',
    "user_emails.set_primary": b"{}",
    "email_linking.send_verification": b"new@example.org",
    "email_linking.verify": b"{}",
    "user_identity.link": b"{}",
    "user_identity.unlink": b"{}",
    "add_alias": b"{}",
    "password.update": b'{"token":"ada-token","current_password":"hush","new_password":"hush-hush"}',
    "password.reset_link": b"{}",
    "impersonation.token_exchange": b"{}",
    "internal.unheard_of": b"{}",
}
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhdXRoMHxhZGEifQ.c2lnbmF0dXJl"

LAST = b"last"


async def heard(url, old, send, *arguments):
    """Let it listen, call `send` over and over until it has heard something, end it as Ctrl-C does."""
    process = await start(url, "--from-traffic", "10m", *arguments)
    async with await connect(url) as client:
        own = len(old.received)
        # Its own questions reach the old service too: the first one says that it listens.
        while len(old.received) == own:
            await client.request(f"{OLD}username_to_sub", b"first", timeout=60)
            await asyncio.sleep(0.05)
            own += 1
        await send(client)
        # What it asks last: by then it has asked all that it heard before.
        await client.request(f"{OLD}username_to_sub", LAST)
        await until(lambda: old.received.count(("username_to_sub", LAST)) >= 2)
        await until(lambda: settled(old))
    process.send_signal(signal.SIGINT)
    return await end(process)


def settled(old):
    """Whether nothing has come for a while."""
    before = getattr(old, "seen", -1)
    old.seen = len(old.received)
    old.quiet = getattr(old, "quiet", 0) + 1 if before == old.seen else 0
    return old.quiet > 30


async def test_reads_are_asked_of_both_and_nothing_else_ever(nats):
    async def send(client):
        for subject, body in (READS | OTHERS).items():
            await client.publish(OLD + subject, body, reply=client.new_inbox())

    async with answering(nats.url, OLD) as old, answering(nats.url, NEW) as new:
        done = await heard(nats.url, old, send)
    assert {subject for subject, _ in new.received} == set(READS)
    assert set(READS.items()) <= set(new.received)
    # The old one had each write once, from its caller.
    writes = [subject for subject, _ in old.received if subject not in READS]
    assert sorted(writes) == sorted(OTHERS)
    named = {name: 1 for name in OTHERS if name != "internal.unheard_of"}
    assert done.report["passed_by"] == {**named, "other subjects": 1}
    assert (done.status, done.report["cut_short"]) == (0, "it was asked to")


async def test_two_comparisons_do_not_ask_each_others_questions(nats):
    async def send(client):
        await client.request(f"{OLD}email_to_sub", b"ada@example.org", timeout=60)

    async with answering(nats.url, OLD) as old, answering(nats.url, NEW) as new:
        first = await start(nats.url, "--from-traffic", "10m")
        await heard(nats.url, old, send)
        first.send_signal(signal.SIGTERM)
        done = await end(first)
    asked = [body for subject, body in new.received if subject == "email_to_sub"]
    assert len(asked) <= 2
    assert done.report["asked"] < 40


async def test_no_token_is_shown_anywhere_not_even_with_show(nats):
    async def send(client):
        await client.publish(f"{OLD}user_metadata.read", f"Bearer {TOKEN}".encode(), reply=client.new_inbox())
        body = json.dumps({"user": {"auth_token": TOKEN}}).encode()
        await client.publish(f"{OLD}user_emails.read", body, reply=client.new_inbox())

    repeating = {"success": False, "error": f"what is {TOKEN}?"}
    others = {"user_metadata.read": repeating, "user_emails.read": repeating}
    async with answering(nats.url, OLD) as old, answering(nats.url, NEW, others):
        done = await heard(nats.url, old, send, "--show")
    assert done.status == 1
    assert len(done.report["differences"]) == 2
    for part in TOKEN.split("."):
        assert part not in done.output + done.errors


async def test_under_load_no_request_of_a_caller_is_lost_or_doubled(nats):
    """Half of what is heard is left out by the rate; the callers' replies are those of the old service, once each."""
    async with answering(nats.url, OLD) as old, answering(nats.url, NEW) as new:
        process = await start(nats.url, "--from-traffic", f"{SECONDS + 60:g}s", "--rate", "200")
        async with await connect(nats.url) as client:
            while not new.received:
                await client.request(f"{OLD}username_to_sub", b"ada", timeout=60)
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            before, asked = len(old.received), len(new.received)
            orders = [Order(OLD + subject, body.decode(), "", 4, SECONDS) for subject, body in READS.items()]
            orders.append(Order(f"{OLD}password.update", "{}", '{"success": false', 2, SECONDS))
            tallies = await asyncio.gather(*(Load(client, order).run() for order in orders))
        process.send_signal(signal.SIGINT)
        done = await end(process)
    assert [tally for tally in tallies if not tally.faultless] == []
    sent = sum(tally.requests for tally in tallies)
    repeated = len(new.received) - asked
    assert len(old.received) - before == sent + repeated
    assert done.report["passed_by"]["password.update"] == tallies[-1].requests
    reads = sum(tally.requests for tally in tallies[:-1])
    assert repeated + done.report["left_out"] <= reads
    assert (done.status, done.report["differences"]) == (0, [])
