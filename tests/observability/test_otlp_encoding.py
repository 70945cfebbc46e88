# SPDX-License-Identifier: MIT
"""Spans are encoded as the SDK encodes them, whatever they are."""

from __future__ import annotations

import importlib

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as of_the_sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from app.observability.otlp_encoding import encode_spans

WHO = Resource({"service.name": "auth"})
SCOPE = InstrumentationScope("auth", "1", None, {"messaging.system": "nats"})
FAILED = Status(StatusCode.ERROR, "internal error")
REMOTE = SpanContext(2**128 - 1, 7, is_remote=True, trace_flags=TraceFlags(1))
LOCAL = SpanContext(3, 2**64 - 1, is_remote=False, trace_flags=TraceFlags(1))


def span(number: int, *, state: str = "", **fields: object) -> ReadableSpan:
    context = SpanContext(number << 100 | 5, number, False, TraceFlags(1), TraceState.from_header([state]))  # noqa: FBT003
    given = {"kind": SpanKind.SERVER, "attributes": {}, **fields}
    return ReadableSpan(
        f"lfx.auth-service.{number % 3}",
        context,
        resource=WHO,
        start_time=1_700_000_000_000_000_000 + number,
        end_time=2**63 + number,
        instrumentation_scope=SCOPE,
        **given,
    )


SPANS = {
    "one": [span(1)],
    "several of a kind": [span(number) for number in range(1, 600)],
    "below another service's": [span(1, parent=REMOTE)],
    "below one of this service": [span(1, parent=LOCAL, kind=SpanKind.CLIENT)],
    "with attributes": [span(1, attributes={"auth_service.outcome": "ok", "count": 3}), span(4, attributes={})],
    "failed": [span(1, status=FAILED), span(4), span(7, status=Status(StatusCode.ERROR, "other"))],
    "of a vendor": [span(1, state="vendor=1"), span(4), span(7, state="vendor=2,other=3")],
    "long": [span(1, attributes={"text": "x" * 20_000})],
}


@pytest.mark.parametrize("spans", SPANS.values(), ids=SPANS)
def test_it_is_what_the_sdk_makes(spans):
    assert encode_spans(spans) == of_the_sdk(spans)
    assert encode_spans(spans) == of_the_sdk(spans)  # what is kept from the first time is right as well


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_exporters_find_their_encoder_where_it_is_replaced(protocol):
    module = importlib.import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter")
    assert callable(module.encode_spans)
