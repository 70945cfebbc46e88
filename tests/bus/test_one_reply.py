# SPDX-License-Identifier: MIT
"""Exactly one reply to every request, over a real nats-server, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.domain.deadline import current_deadline
from tests.support.slow import PREFIX, place

TIMED_OUT = b'{"success":false,"error":"request timed out"}'
INTERNAL = b'{"success":false,"error":"internal error"}'
OVERLOADED = b'{"success":false,"error":"service is overloaded, try again later"}'
NO_MAIL = b'{"success":true,"data":{"name":"No Mail"}}'


async def test_malformed_unknown_and_good_requests_get_one_reply_each(nats):
    async with place(nats.url) as service:
        await service.ask("user_emails.read", b"[" * 100_000)
        await service.ask("user_metadata.read", b"nobody")
        await service.ask("username_to_sub", b"ada")
        await service.ask("username_to_sub", b"\xff\xfe")
        assert await service.all_replies() == [
            [b'{"success":false,"error":"failed_to_unmarshal_request"}'],
            [b'{"success":false,"error":"user not found"}'],
            [b"auth0|ada"],
            [b'{"success":false,"error":"username is required"}'],
        ]


async def test_a_request_without_a_reply_subject_is_handled_and_nothing_is_published(nats):
    handled = []

    async def note(reference: str) -> None:
        handled.append(reference)

    async with place(nats.url, note) as service:
        everything = await service.client.subscribe(">")
        await service.client.publish(PREFIX + "user_metadata.read", b"nomail")
        await service.until(lambda: handled)
        await service.broker.drain()
        await service.client.flush()
        assert [(await everything.next_msg(timeout=60)).subject] == [PREFIX + "user_metadata.read"]
        assert everything.pending_msgs == 0


@pytest.mark.parametrize(
    "odd",
    [
        ValueError,
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError,
        RecursionError,
        StopAsyncIteration,
    ],
)
async def test_whatever_a_provider_raises_the_reply_is_internal_error(nats, odd):
    async def fail(_: str) -> None:
        raise odd("boom")

    async with place(nats.url, fail) as service:
        assert await service.ask("user_metadata.read", b"nomail") == INTERNAL
        # The subject is still served, and no slot was lost.
        assert await service.ask("user_metadata.read", b"nomail") == INTERNAL
        assert await service.all_replies() == [[INTERNAL], [INTERNAL]]
        assert service.broker.turns.at_work == 0


async def test_a_deadline_at_work_is_answered_and_the_work_cut_off(nats):
    ends = []

    async def hang(_: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ends.append("cut off")
            raise

    async with place(nats.url, hang, timeout=0.2) as service:
        assert await service.ask("user_metadata.read", b"nomail") == TIMED_OUT
        await service.until(lambda: ends)
        assert await service.all_replies() == [[TIMED_OUT]]


async def test_a_provider_that_does_not_stop_at_the_deadline_gets_no_second_reply(nats):
    release = asyncio.Event()

    async def stubborn(_: str) -> None:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()

    async with place(nats.url, stubborn, timeout=0.2) as service:
        assert await service.ask("user_metadata.read", b"nomail") == TIMED_OUT
        release.set()
        assert await service.all_replies() == [[TIMED_OUT]]


async def test_a_deadline_while_waiting_is_answered_and_the_work_never_begun(nats):
    begun = []
    release = asyncio.Event()

    async def hold(reference: str) -> None:
        begun.append(reference)
        current_deadline().commit()
        await release.wait()

    async with place(nats.url, hold, timeout=0.3, max_concurrent_requests=1) as service:
        first = await service.send("user_metadata.read", b"first:nomail")
        await service.until(lambda: begun)
        second = await service.send("user_metadata.read", b"second:nomail")
        assert await service.reply(second) == TIMED_OUT
        assert await service.reply(first) == TIMED_OUT
        release.set()
        assert await service.all_replies() == [[TIMED_OUT], [TIMED_OUT]]
        assert begun == ["first:nomail"]
        assert service.broker.turns.pending == 0


async def test_past_the_waiting_room_the_reply_is_overloaded_at_once(nats):
    release = asyncio.Event()
    begun = []

    async def hold(reference: str) -> None:
        begun.append(reference)
        await release.wait()

    async with place(nats.url, hold, max_concurrent_requests=1, max_pending_requests=2) as service:
        for _ in range(3):
            await service.send("user_metadata.read", b"nomail")
        await service.until(lambda: service.broker.turns.pending == 2)
        assert await service.ask("user_metadata.read", b"nomail") == OVERLOADED
        # What waits for nothing needs no room.
        assert await service.ask("username_to_sub", b"ada") == b"auth0|ada"
        assert await service.ask("user_metadata.read", b"") == b'{"success":false,"error":"input is required"}'
        release.set()
        got = await service.all_replies()
        assert got[:4] == [[NO_MAIL], [NO_MAIL], [NO_MAIL], [OVERLOADED]]


async def test_past_64_mib_the_reply_is_overloaded(nats):
    release = asyncio.Event()

    async def hold(_: str) -> None:
        await release.wait()

    body = b" " * 1_000_000 + b"nomail"
    async with place(nats.url, hold, max_concurrent_requests=1) as service:
        keys = []
        for _ in range(75):
            keys.append(await service.send("user_metadata.read", body))
            await service.client.flush()  # nats-server cuts off who is more than 64 MiB behind
        await service.until(lambda: sum(len(service.replies[key]) for key in keys) == 75 - 1 - 67)
        assert service.broker.turns.pending == 67
        release.set()
        got = await service.all_replies()
        assert [len(replies) for replies in got] == [1] * 75
        assert sum(replies == [OVERLOADED] for replies in got) == 7


async def test_a_slow_subject_takes_three_quarters_and_holds_up_no_other(nats):
    release = asyncio.Event()
    begun: list[str] = []

    async def hold(reference: str) -> None:
        begun.append(reference)
        if reference.startswith("slow"):
            await release.wait()

    async with place(nats.url, hold, max_concurrent_requests=8) as service:
        for _ in range(20):
            await service.send("user_metadata.read", b"slow:nomail")
        await service.until(lambda: service.broker.turns.pending == 14)
        assert begun == ["slow:nomail"] * 6
        quick = await service.ask("user_emails.read", b'{"user":{"auth_token":"quick:nomail"}}')
        assert json.loads(quick)["success"] is True
        release.set()
        assert all(len(replies) == 1 for replies in await service.all_replies())


async def test_what_waits_begins_in_the_order_in_which_it_came(nats):
    begun: list[str] = []
    release = asyncio.Event()

    async def hold(reference: str) -> None:
        begun.append(reference.partition(":")[0])
        await release.wait()

    async with place(nats.url, hold, max_concurrent_requests=1) as service:
        for number in range(10):
            await service.send("user_metadata.read", f"{number}:nomail".encode())
        await service.until(lambda: service.broker.turns.pending == 9)
        release.set()
        await service.all_replies()
        assert begun == [str(number) for number in range(10)]


async def test_ten_thousand_at_once_get_ten_thousand_replies(nats):
    async with place(nats.url) as service:
        for _ in range(5_000):
            await service.send("user_metadata.read", b"nomail")
            await service.send("username_to_sub", b"ada")
        await service.until(lambda: all(service.replies.values()))
        got = await service.all_replies()
        assert [len(replies) for replies in got] == [1] * 10_000
        assert sum(replies == [NO_MAIL] for replies in got) == 5_000
        assert service.broker.turns.at_work == service.broker.turns.pending == 0
