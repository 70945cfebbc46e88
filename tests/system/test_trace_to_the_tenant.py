# SPDX-License-Identifier: MIT
"""A trace from a caller through the service to the tenant, as collector and tenant see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stand_ins.auth0 import auth0_tenant
from tests.support.collector import attributes, http_collector
from tests.system.processes import process
from tests.system.test_telemetry import CALLER, TRACE, TRACEPARENT, ask

if TYPE_CHECKING:
    from pathlib import Path

    from app.cli.dev.nats_server import NatsServer

SUBJECT = "lfx.auth-service.user_metadata.read"


@pytest.fixture
def told(nats: NatsServer, tmp_path: Path):
    """What the collector got and the tenant was asked while a caller read metadata, first well, then in an outage."""
    headers = {"traceparent": TRACEPARENT, "tracestate": "vendor=1", "baggage": "user=ada"}
    with auth0_tenant() as server, http_collector() as collector:
        variables = {
            **server.tenant.environment(),
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "REQUEST_TIMEOUT": "2s",
            "READ_STALE_FOR": "0",
        }
        with process(nats.url, tmp_path, **variables) as service:
            service.until_ready()
            server.tenant.records.exchanges.clear()
            assert ask(nats.url, SUBJECT, server.tenant.access_token("ada").encode(), headers).startswith(
                b'{"success":true'
            )
            exchanges = list(server.tenant.records.exchanges)
            server.tenant.faults.status(500)
            assert b'"success":false' in ask(nats.url, SUBJECT, server.tenant.access_token("ada").encode(), headers)
            assert service.end() == 0
    return collector.spans, exchanges


def test_the_trace_is_in_one_piece(told):
    spans, exchanges = told
    requests = [span for span in spans if span.name == SUBJECT]
    calls = [span for span in spans if span.name != SUBJECT]
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert {span.trace_state for span in spans} == {"vendor=1"}
    # The caller's span, below it the requests, below them the calls, and below those whatever the tenant does.
    assert {(span.parent_span_id.hex(), span.kind) for span in requests} == {(CALLER, 2)}
    (well, _) = requests
    assert {span.parent_span_id for span in calls} == {span.span_id for span in requests}
    assert {span.kind for span in calls} == {3}
    (exchange,) = exchanges
    (call,) = [span for span in calls if span.parent_span_id == well.span_id]
    assert call.name == "get_user"
    assert exchange.headers["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert exchange.headers["tracestate"] == "vendor=1"
    assert well.start_time_unix_nano <= call.start_time_unix_nano < call.end_time_unix_nano <= well.end_time_unix_nano


def test_baggage_stays_on_this_side(told):
    _, exchanges = told
    assert [name for exchange in exchanges for name in exchange.headers if name == "baggage"] == []


def test_only_failures_of_the_service_and_its_upstream_are_errors_of_spans(told):
    spans, _ = told
    errors = {(span.name, span.status.code, span.status.message) for span in spans if span.status.code}
    assert errors == {(SUBJECT, 2, "identity provider unavailable"), ("get_user", 2, "failed")}


def test_nobody_is_named_in_a_span(told):
    spans, _ = told
    said = [text for span in spans for text in (span.name, span.status.message, *attributes(span).values())]
    assert {name for span in spans for name in attributes(span)} <= {
        "auth_service.outcome",
        "auth_service.source",
        "error.type",
    }
    outcomes = {"ok", "failed", "upstream_error", "identity provider unavailable"}
    assert set(said) <= {"", SUBJECT, "get_user", "provider", *outcomes}
