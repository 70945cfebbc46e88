# SPDX-License-Identifier: MIT
"""The way of one message through a subscriber, without a server: who replies, with what, and what is counted."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from app.bus import subscriber
from app.bus.gate import in_turn, take_turn
from app.bus.replies import Data, Done, Failure, encode, encode_failure
from app.bus.subjects import is_inbox
from app.domain.deadline import current_deadline
from app.domain.errors import InputRequired, InternalError, RequestTimedOut, UserNotFound
from app.domain.ports import Absent
from tests.bus.one_subject import (
    Service,
    echo,
    records,
    refused_at_once,
    refused_in_its_turn,
    refused_later,
    slow,
    writing,
)
from tests.support.virtual_time import in_virtual_time, now

if TYPE_CHECKING:
    from app.bus.request import Request

INTERNAL = {"success": False, "error": "internal error"}


class Asked(BaseModel):
    name: str = ""


class Maybe(BaseModel):
    a: str | None = None
    b: str


@pytest.fixture
def logged():
    with records("WARNING") as kept:
        yield kept


@in_virtual_time
async def test_who_waits_for_nothing_is_answered_at_once_without_a_turn():
    service = Service(echo)
    await service.ask(b" ada\n")
    assert service.client.published == [("_INBOX.me", b"hello ada", 0.0)]
    assert (service.turns.at_work, service.turns.pending) == (0, 0)
    assert service.outcomes() == {"success": 1}
    [(subject, options)] = service.client.subscribed
    assert (subject, options["queue"]) == ("lfx.auth-service.test", "lfx.auth-service.queue")
    assert (options["pending_msgs_limit"], options["pending_bytes_limit"]) == (-1, -1)
    assert options["cb"] == service.subscriber.on_message


@in_virtual_time
async def test_who_has_to_wait_is_given_a_turn_and_one_reply():
    service = Service(slow, at_once=1)
    for _ in range(3):
        await service.ask(b"1")
    assert (service.turns.at_work, service.turns.pending) == (1, 2)
    assert await service.replies() == ["done"] * 3
    assert [moment for *_, moment in service.client.published] == [1.0, 2.0, 3.0]
    assert service.outcomes() == {"success": 3}


@in_virtual_time
async def test_a_request_past_its_time_is_told_so_once():
    service = Service(slow)
    await service.ask(b"99")
    assert await service.replies() == [{"success": False, "error": RequestTimedOut.wire}]
    assert service.client.published[0][2] == 10.0
    assert now() == pytest.approx(10.0)
    assert service.outcomes() == {"limit": 1}


@pytest.mark.parametrize(
    ("handler", "seconds", "outcome"),
    [(writing, 15, "done"), (writing, 99, "cut off"), (refused_later, 15, "UserNotFound")],
)
@in_virtual_time
async def test_a_request_that_has_written_has_as_long_again_and_what_came_of_it_is_logged(
    handler, seconds, outcome, logged
):
    service = Service(handler)
    await service.ask(b"%d" % seconds)
    assert await service.replies() == [{"success": False, "error": RequestTimedOut.wire}]
    assert now() == pytest.approx(min(seconds, 20.0))
    (record,) = logged
    assert record["message"] == "write ended after the request had timed out"
    assert outcome in record["extra"]["outcome"]


@in_virtual_time
async def test_a_reader_who_is_passed_over_gets_one_reply_without_a_turn():
    async def patient(name: str) -> str:
        if await take_turn(0.5):
            return await slow(name)
        if name == "gone":
            raise UserNotFound
        return "stale"

    service = Service(patient, at_once=1)
    for name in (b"5", b"ada", b"gone"):
        await service.ask(name)
    assert await service.replies() == ["stale", {"success": False, "error": "user not found"}, "done"]
    assert [moment for *_, moment in service.client.published] == [0.5, 0.5, 5.0]
    assert service.outcomes() == {"success": 2, "caller_error": 1}


@in_virtual_time
async def test_a_reader_who_is_passed_over_with_nothing_to_say_waits_on_without_a_limit():
    async def patient(name: str) -> str:
        assert name == "5" or not await take_turn(0.5)
        return await slow(name)

    service = Service(patient, at_once=1)
    for name in (b"5", b"1"):
        await service.ask(name)
    assert await service.replies() == ["done", "done"]
    assert [moment for *_, moment in service.client.published] == [5.0, 6.0]


@in_virtual_time
async def test_whoever_settles_has_waited_for_the_replies_of_requests_that_were_cut_off():
    service = Service(slow)
    await service.ask(b"5")
    assert service.turns.abandon() == 1
    await service.subscriber.settle()
    assert len(service.client.published) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, asyncio.CancelledError, SystemExit])
@in_virtual_time
async def test_whatever_a_handler_raises_its_caller_gets_a_reply(error):
    async def broken(_: str) -> str:
        raise error

    service = Service(broken)
    await service.ask()
    assert await service.replies() == [INTERNAL]
    assert service.outcomes() == {"internal_error": 1}


async def cancelled(name: str) -> str:
    await take_turn()
    if name == "writes":
        current_deadline().commit()
    asyncio.current_task().cancel()
    await asyncio.sleep(1)
    return "never"


@pytest.mark.parametrize("name", [b"reads", b"writes"])
@in_virtual_time
async def test_who_is_cut_off_before_its_time_is_told_so_whether_or_not_it_has_written(name, logged):
    service = Service(cancelled)
    await service.ask(name)
    assert await service.replies() == [{"success": False, "error": RequestTimedOut.wire}]
    assert (service.outcomes(), logged, now()) == ({"limit": 1}, [], 0.0)


@in_virtual_time
async def test_who_breaks_where_nothing_should_gets_a_reply_all_the_same():
    async def answer(_: bytes) -> None:
        await take_turn()
        raise ZeroDivisionError

    service = Service(echo)
    service.subscriber.answer = answer
    await service.ask()
    assert await service.replies() == [INTERNAL]
    assert service.outcomes() == {"internal_error": 1}


@in_virtual_time
async def test_what_goes_on_after_the_reply_until_its_time_is_up_gets_no_other():
    async def leaving_work(_: str) -> str:
        await take_turn()
        current_deadline().attach(asyncio.create_task(asyncio.sleep(99)))
        return "done"

    service = Service(leaving_work)
    await service.ask()
    assert await service.replies() == ["done"]
    assert (now(), service.outcomes()) == (10.0, {"success": 1})


@in_virtual_time
async def test_a_request_that_has_its_reply_is_refused_no_more():
    requests: list[Request] = []
    service = Service(slow)
    service.turns.submit = requests.append
    await service.ask()
    (request,) = requests
    request.body = b"at hand"
    request.reply()
    request.refuse(RequestTimedOut())
    assert await service.replies() == ["at hand"]
    request.coroutine.close()


@pytest.mark.parametrize("handler", [refused_at_once, refused_in_its_turn])
@in_virtual_time
async def test_a_failure_of_the_tree_is_told_by_its_line(handler):
    service = Service(handler)
    await service.ask()
    assert await service.replies() == [{"success": False, "error": "user not found"}]
    assert service.outcomes() == {"caller_error": 1}


@in_virtual_time
async def test_a_body_that_is_malformed_is_told_so_and_no_handler_sees_it():
    async def named(asked: Asked) -> str:
        return f"hello {asked.name}"

    service = Service(named, request=Asked)
    for body in (b'{"name": "ada"}', b"{", b'{"name": 5}'):
        await service.ask(body)
    assert await service.replies() == ["hello ada", *[{"success": False, "error": "failed to unmarshal"}] * 2]


@in_virtual_time
async def test_services_are_injected_and_an_absent_one_comes_before_all_else():
    async def named(asked: Asked, greeting: str) -> str:
        return f"{greeting} {asked.name}"

    service = Service(named, request=Asked, greeting="good day")
    await service.ask(b'{"name": "ada"}')
    assert await service.replies() == ["good day ada"]
    noted: list[bytes] = []
    absent = Service(named, request=Asked, greeting=Absent(InputRequired, noted.append))
    await absent.ask(b"{")
    assert await absent.replies() == [{"success": False, "error": "input is required"}]
    assert noted == [b"{"]


@in_virtual_time
async def test_without_an_inbox_nothing_is_sent_and_all_the_same_is_done_and_counted():
    service = Service(echo)
    await service.ask(reply="")
    assert (await service.replies(), service.outcomes()) == ([], {"success": 1})


MEANT = ("$KV.a.b", "$SRV.PING", "lfx.user_profile.updated", "lfx.auth-service.test")


@pytest.mark.parametrize(
    ("prefix", "reply"),
    [*(("lfx.auth-service.", reply) for reply in MEANT), ("other.", MEANT[0]), ("other.", "other.test")],
)
@pytest.mark.parametrize("handler", [echo, slow])
@in_virtual_time
async def test_nothing_is_sent_where_it_would_mean_something(handler, prefix, reply, logged):
    service = Service(handler, prefix=prefix)
    await service.ask(b"1", reply)
    assert (await service.replies(), service.outcomes()) == ([], {"success": 1})
    assert len(logged) == 1


@pytest.mark.parametrize(
    ("reply", "prefix", "inbox"),
    [
        ("_INBOX.a", "lfx.auth-service.", True),
        ("a.lfx.b", "lfx.auth-service.", True),
        ("other.b", "other.", False),
        ("other.b", "lfx.auth-service.", True),
        ("lfx.b", "other.", False),
        ("$JS.API", "other.", False),
    ],
)
def test_a_reply_goes_where_nothing_is_meant(reply, prefix, inbox):
    assert is_inbox(reply, prefix) is inbox


@in_virtual_time
async def test_a_reply_that_the_server_would_not_take_is_an_internal_error(logged):
    async def long(name: str) -> str:
        return "x" * int(name)

    service = Service(long)
    await service.ask(b"1000")
    assert await service.replies() == ["x" * 1000]
    await service.ask(b"1001")
    assert (await service.replies())[1] == INTERNAL
    assert service.outcomes() == {"success": 1, "internal_error": 1}
    assert "a reply of 1001 bytes" in " ".join(map(str, logged))


@in_virtual_time
async def test_a_reply_that_cannot_be_sent_is_counted_and_harms_nothing(logged):
    service = Service(echo)
    service.client.error = ConnectionError("gone")
    await service.ask()
    assert service.value("auth_service_replies_lost_total") == 1
    assert service.outcomes() == {"success": 1}
    assert [record["exception"].value for record in logged] == [service.client.error]


@in_virtual_time
async def test_a_request_lasts_from_its_message_to_its_reply(monkeypatch):
    monkeypatch.setattr(subscriber, "time", SimpleNamespace(perf_counter=now))
    service = Service(slow, at_once=1)
    await asyncio.sleep(100)
    for name in (b"2", b"3"):
        await service.ask(name)
    await service.replies()
    assert service.telemetry.requests.subjects["test"].seconds == pytest.approx(2 + 5)


@in_virtual_time
async def test_a_handler_that_waits_before_its_turn_is_an_internal_error(logged):
    async def early(_: str) -> str:
        await asyncio.sleep(1)
        return "never"

    service = Service(early)
    await service.ask()
    assert (await service.replies(), service.turns.at_work) == ([INTERNAL], 0)
    assert "a handler waited before its turn" in " ".join(map(str, logged))


@in_virtual_time
async def test_a_handler_that_waits_again_is_ended():
    ended: list[bool] = []

    async def stubborn(_: str) -> str:
        try:
            with contextlib.suppress(RuntimeError):
                await asyncio.sleep(1)
            await asyncio.sleep(1)
        finally:
            ended.append(True)
        return "never"

    service = Service(stubborn)
    await service.ask()
    assert (await service.replies(), ended, service.turns.at_work) == ([INTERNAL], [True], 0)


@in_virtual_time
async def test_who_never_gets_to_its_turn_needs_none_to_be_told():
    async def stubborn(name: str) -> str:
        if name != "stubborn":
            return await slow(name)
        with contextlib.suppress(RuntimeError):
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        return "never"

    service = Service(stubborn, at_once=1)
    await service.ask(b"5")
    await service.ask(b"stubborn")
    assert await service.replies() == [INTERNAL, "done"]
    assert [moment for *_, moment in service.client.published] == [0.0, 5.0]
    assert service.outcomes() == {"success": 1, "internal_error": 1}


@in_virtual_time
async def test_a_handler_that_catches_that_goes_on():
    async def going_on(_: str) -> str:
        try:
            await asyncio.sleep(1)
        except RuntimeError:
            return "went on"
        return "never"

    service = Service(going_on)
    await service.ask()
    assert await service.replies() == ["went on"]


@in_virtual_time
async def test_a_request_that_is_cut_off_while_it_waits_is_told_once_and_never_runs():
    ran: list[str] = []

    async def handler(name: str) -> str:
        await take_turn()
        ran.append(name)
        await asyncio.sleep(8)
        return "done"

    service = Service(handler, at_once=1)
    for name in (b"first", b"second", b"third"):
        await service.ask(name)
    late = {"success": False, "error": RequestTimedOut.wire}
    assert await service.replies() == ["done", late, late]
    assert ran == ["first", "second"]


@in_virtual_time
async def test_leaving_the_queue_group_is_done_once():
    service = Service(echo)
    await service.ask()
    await service.subscriber.drain()
    await service.subscriber.drain()
    assert service.client.subscription.drained == 1


@in_virtual_time
async def test_who_never_joined_the_queue_group_has_nothing_to_leave():
    service = Service(echo)
    await service.subscriber.drain()
    assert service.client.subscription.drained == 0


@in_virtual_time
async def test_what_a_request_holds_while_it_waits_is_its_body_its_inbox_and_half_a_kib():
    sizes: list[int] = []
    service = Service(slow)
    submit = service.turns.submit
    service.turns.submit = lambda job: (sizes.append(job.size), submit(job))[1]
    await service.ask(b"1".ljust(100), reply="_INBOX.me.1234")
    await service.replies()
    assert sizes == [100 + 14 + 512]


@in_virtual_time
async def test_a_capability_waits_for_the_turn_before_each_of_its_methods():
    turned: list[bool] = []

    class Capability:
        word = "as it is"

        async def find(self, name: str, *, fresh: bool = False) -> str:
            turned.append(current_deadline().begun)
            return f"{name} {fresh}"

        def plain(self) -> str:
            return "plain"

    class Own(Capability):
        takes_turns = True

    gated = in_turn(Capability())
    assert (gated.word, gated.plain()) == ("as it is", "plain")
    own = Own()
    assert in_turn(own) is own

    async def asking(name: str) -> str:
        return await gated.find(name, fresh=True)

    service = Service(asking)
    await service.ask()
    assert turned == []
    assert await service.replies() == ["ada True"]
    assert turned == [True]


def test_what_goes_over_the_wire():
    assert encode("é") == "é".encode()
    assert encode(Done("as you wish")) == b'{"success":true,"message":"as you wish"}'
    assert encode(Data[Maybe](data=Maybe(b="é"))) == '{"success":true,"data":{"b":"é"}}'.encode()
    assert encode_failure("é ü") == '{"success":false,"error":"é ü"}'.encode()
    assert encode_failure("\ud800") == b'{"success":false,"error":"?"}'
    assert encode(Failure(error=InternalError.wire)) == encode_failure(InternalError.wire)
