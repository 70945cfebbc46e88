# SPDX-License-Identifier: MIT
"""How traces are continued: headers in and out, with an exporter and without one, and who is sampled."""

from __future__ import annotations

import itertools
import re

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.domain.errors import EmailRequired, ProviderUnavailable
from app.observability.otlp import Exports
from app.observability.tracing import Tracing, set_trace
from app.settings.telemetry import TelemetrySettings
from tests.support.spans import told_by

TRACE, CALLER = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
W3C = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOT_SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
JAEGER = "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1"
EVERY = ("tracecontext", "baggage", "jaeger")


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def exporting(exporter: InMemorySpanExporter, **settings: object) -> tuple[Exports, Tracing]:
    exports = Exports(TelemetrySettings(**settings), "1")
    return exports, exports.tracing(exporter)


def recording(exporter: InMemorySpanExporter, **settings: object) -> Tracing:
    return exporting(exporter, **settings)[1]


@pytest.fixture(autouse=True)
def _no_trace():
    """Whatever a test makes the current trace ends with it."""
    yield
    set_trace(None)


@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACEPARENT", "TraceParent"])
def test_the_callers_trace_is_found_in_any_case_of_letters(name):
    found = Tracing().begin({name: W3C, "Nats-Msg-Id": "1"})
    assert (found.trace_id, found.span_id) == (TRACE, CALLER)


def test_jaegers_header_is_taken_when_it_is_asked_for():
    assert Tracing().begin({"uber-trace-id": JAEGER}) is None
    assert Tracing(EVERY).begin({"Uber-Trace-Id": JAEGER}).trace_id == TRACE


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"traceparent": ""},
        {"traceparent": "00-zz"},
        {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
        {"traceparent": "\udcff" * 55},
        {"uber-trace-id": "-1:-1:0:1"},
        {"uber-trace-id": "x" * 100_000},
        {"baggage": "=" * 100_000, "tracestate": "," * 100_000},
    ],
)
def test_what_is_no_trace_begins_a_new_one_or_none(headers, exporter):
    assert Tracing(EVERY).begin(headers) is None
    made = recording(exporter, propagators=EVERY).begin(headers)
    assert made.span.parent is None
    assert made.trace_id not in {0, TRACE}


def test_without_an_exporter_the_callers_own_span_is_carried_on():
    tracing = Tracing(EVERY)
    set_trace(tracing.begin({"traceparent": W3C, "tracestate": "vendor=1", "baggage": "team=blue"}))
    assert tracing.headers() == {
        "traceparent": W3C,
        "tracestate": "vendor=1",
        "baggage": "team=blue",
        "uber-trace-id": "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0000000000000000:03",
        "uberctx-team": "blue",
    }


@pytest.mark.parametrize("propagators", list(itertools.permutations(EVERY)))
@pytest.mark.parametrize(
    "odd",
    [
        {"baggage": "user%20id=1,app%2Ftenant=7,a%0d%0ab=%0d%0a"},
        {"baggage": "%C3%A9=1,%ED%A0%80=%ED%A0%80,=1"},
        {"baggage": "a=\udcff"},
        {"baggage": "\udcff=é"},
        {"uberctx-a(b": "1", "uberctx-": "2", "uberctx-é": "é"},
        {"uberctx-a\udcff": "1", "uberctx-b": "\udcff"},
        {"tracestate": "a=\udcff"},
    ],
)
def test_what_is_odd_in_a_trace_harms_nothing_beside_it(propagators, odd):
    tracing = Tracing(propagators)
    set_trace(tracing.begin({"traceparent": W3C, **odd}))
    headers = tracing.headers()
    assert headers["traceparent"] == W3C
    for name, value in headers.items():
        assert re.fullmatch(r"[a-z0-9%_.-]+", name)
        assert re.fullmatch(r"[ -~]+", value)


def test_upstreams_get_the_trace_and_no_baggage():
    tracing = Tracing(EVERY)
    set_trace(tracing.begin({"traceparent": W3C, "baggage": "team=blue"}))
    assert set(tracing.headers(outward=True)) == {"traceparent", "uber-trace-id"}


def test_without_propagators_nothing_is_taken_and_nothing_given():
    tracing = Tracing(())
    assert tracing.begin({"traceparent": W3C}) is None
    assert tracing.headers() == {}


def test_without_a_trace_no_headers_are_given():
    assert Tracing(EVERY).headers() == {}


@pytest.mark.parametrize(
    ("sampler", "argument", "alone", "after_sampled", "after_not_sampled"),
    [
        ("always_on", 1.0, True, True, True),
        ("always_off", 1.0, False, False, False),
        ("traceidratio", 0.0, False, False, False),
        ("traceidratio", 1.0, True, True, True),
        ("parentbased_always_on", 0.0, True, True, False),
        ("parentbased_always_off", 1.0, False, True, False),
        ("parentbased_traceidratio", 0.0, False, True, False),
        ("parentbased_traceidratio", 1.0, True, True, False),
    ],
)
def test_samplers_decide_as_the_specification_says(  # noqa: PLR0913, PLR0917 - a table
    sampler, argument, alone, after_sampled, after_not_sampled, exporter
):
    tracing = recording(exporter, sampler=sampler, sampler_argument=argument)
    headers = (None, {"traceparent": W3C}, {"traceparent": NOT_SAMPLED})
    assert [tracing.begin(given).sampled for given in headers] == [alone, after_sampled, after_not_sampled]


def test_a_ratio_takes_that_part_of_new_traces(exporter):
    tracing = recording(exporter, sampler="parentbased_traceidratio", sampler_argument=0.1)
    assert 800 < sum(tracing.begin(None).sampled for _ in range(10_000)) < 1200


def test_a_call_is_below_its_request_and_only_where_that_is_recorded(exporter):
    tracing = recording(exporter)
    assert tracing.calling("get_user") is None
    set_trace(tracing.begin({"traceparent": NOT_SAMPLED}))
    assert tracing.calling("get_user") is None
    request = tracing.begin({"traceparent": W3C})
    set_trace(request)
    call = tracing.calling("get_user")
    assert (call.trace_id, call.span.parent.span_id) == (TRACE, request.span_id)


def test_the_status_of_a_span_says_whose_fault_it_is(exporter):
    exports, tracing = exporting(exporter)
    for error in (None, EmailRequired(), ProviderUnavailable()):
        tracing.answered(tracing.begin(None), error)
    for outcome in ("ok", "refused", "timed_out"):
        set_trace(tracing.begin(None))
        tracing.called(tracing.calling("get_user"), outcome)
    exports.close(10)
    spans = exporter.get_finished_spans()
    assert [span.status.status_code.name for span in spans] == ["UNSET", "UNSET", "ERROR", "UNSET", "UNSET", "ERROR"]
    assert [span.attributes.get("error.type") for span in spans[:3]] == [
        None,
        "email is required",
        "identity provider unavailable",
    ]


def test_what_an_upstream_said_is_in_no_attribute(exporter):
    error = ProviderUnavailable()
    error.wire = "no account auth0|ada"
    exports, tracing = exporting(exporter)
    tracing.answered(tracing.begin(None), error)
    exports.close(10)
    (span,) = exporter.get_finished_spans()
    assert span.attributes["error.type"] == "upstream_error"
    assert "ada" not in told_by(span)


@pytest.mark.parametrize("most", [16_384, 16_385])
def test_of_names_and_values_16_kib_are_a_trace(most):
    headers = {"uber-trace-id": JAEGER, "uberctx-a": "b"}
    headers["uberctx-" + "n" * (most - sum(map(len, (*headers, *headers.values()))) - 9)] = "v"
    assert (Tracing(EVERY).begin(headers) is None) is (most > 16_384)
