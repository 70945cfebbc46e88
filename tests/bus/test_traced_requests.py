# SPDX-License-Identifier: MIT
"""What is recorded of a request, without a server: its log, its span and its trace."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.bus.gate import take_turn
from app.domain.errors import ProviderUnavailable, UserNotFound
from app.observability.tracing import Tracing, current_trace
from tests.bus.one_subject import NO_TRACE, Service, echo, records, refused_at_once, refused_later, slow
from tests.support.virtual_time import in_virtual_time

TRACE = 0x0AF7651916CD43DD8448EB211C80319C
HEADERS = {"traceparent": f"00-{TRACE:032x}-b7ad6b7169203331-01"}


async def unavailable(_: str) -> str:
    raise ProviderUnavailable from ConnectionError("ada")


async def broken(_: str) -> str:
    raise ZeroDivisionError


async def stubborn(_: str) -> str:
    with contextlib.suppress(RuntimeError):
        await asyncio.sleep(1)
    await asyncio.sleep(1)
    return "never"


async def long(name: str) -> str:
    return "x" * int(name)


async def long_in_its_turn(name: str) -> str:
    await take_turn()
    return await long(name)


@pytest.mark.parametrize(
    ("handler", "body", "reply", "messages"),
    [
        (refused_at_once, b"ada", "_INBOX.me", ["request refused"]),
        (refused_at_once, b"ada", "$KV.a.b", ["reply subject is no inbox", "request refused"]),
        (refused_later, b"15", "_INBOX.me", ["request refused", "write ended after the request had timed out"]),
        (slow, b"15", "_INBOX.me", ["request refused"]),
        (unavailable, b"ada", "_INBOX.me", ["request failed"]),
        (broken, b"ada", "_INBOX.me", ["unexpected exception", "request failed"]),
        (stubborn, b"ada", "_INBOX.me", ["unexpected exception", "request failed"]),
        (long, b"1001", "_INBOX.me", ["unexpected exception", "request failed"]),
        (long_in_its_turn, b"1001", "_INBOX.me", ["unexpected exception", "request failed"]),
        (echo, b"ada", "_INBOX.gone", ["reply could not be sent"]),
    ],
)
@in_virtual_time
async def test_what_is_logged_of_a_request_says_its_trace_and_masks_its_body(handler, body, reply, messages):
    service = Service(handler)
    if reply == "_INBOX.gone":
        service.client.error = ConnectionError("gone")
    with records("INFO") as kept:
        await service.ask(body, reply, HEADERS)
        await service.replies()
    assert [record["message"] for record in kept] == messages
    assert {record["extra"]["trace"].trace_id for record in kept} == {TRACE}
    assert all(record["extra"].get("secrets", [body.decode()]) == [body.decode()] for record in kept)


@in_virtual_time
async def test_what_breaks_after_the_reply_is_logged():
    async def quick(_: str) -> str:
        await take_turn()
        return "done"

    service = Service(quick)
    service.subscriber.telemetry.answered = None
    with records("INFO") as kept:
        await service.ask(headers=HEADERS)
        assert await service.replies() == ["done"]
    assert [(record["message"], record["extra"]["trace"].trace_id) for record in kept] == [
        ("unexpected exception", TRACE)
    ]


@in_virtual_time
async def test_what_is_logged_of_one_who_was_passed_over_says_its_trace():
    async def patient(name: str) -> str:
        if name == "5":
            return await slow(name)
        assert not await take_turn(0.5)
        raise UserNotFound

    service = Service(patient, at_once=1)
    with records("INFO") as kept:
        await service.ask(b"5")
        await service.ask(b"ada", headers=HEADERS)
        await service.replies()
    assert [(record["message"], record["extra"]["trace"].trace_id) for record in kept] == [("request refused", TRACE)]


@in_virtual_time
async def test_the_work_belongs_to_the_trace_of_the_request_before_its_turn_and_in_it():
    seen: list[int | None] = []

    async def looking(_: str) -> str:
        seen.append(getattr(current_trace(), "trace_id", None))
        await take_turn()
        seen.append(getattr(current_trace(), "trace_id", None))
        return "done"

    service = Service(looking)
    await service.ask(headers=HEADERS)
    await service.ask()
    assert await service.replies() == ["done", "done"]
    assert sorted(seen, key=str) == [TRACE, TRACE, None, None]
    assert current_trace() is None


@pytest.mark.parametrize(("handler", "outcome"), [(echo, None), (slow, "limit"), (refused_at_once, "caller_error")])
@pytest.mark.parametrize("headers", [HEADERS, NO_TRACE, {}], ids=["in a trace", "with other headers", "with none"])
@in_virtual_time
async def test_each_request_is_recorded_as_one_span_under_its_address(headers, handler, outcome):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    service = Service(handler, tracing=Tracing(tracer=provider.get_tracer("test"), bound=1 << 64))
    await service.ask(b"15", headers=headers)
    await service.replies()
    (span,) = exporter.get_finished_spans()
    assert (span.name, (span.attributes or {}).get("auth_service.outcome")) == ("lfx.auth-service.test", outcome)
    assert (span.context.trace_id == TRACE) is (headers is HEADERS)
