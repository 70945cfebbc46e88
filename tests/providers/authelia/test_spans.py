# SPDX-License-Identifier: MIT
"""What the provider does with its upstreams is in the request's trace: HTTP, KV, SMTP and Kubernetes."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from app.observability.otlp import Exports
from app.observability.tracing import set_trace
from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings.telemetry import TelemetrySettings
from providers import Dependencies
from providers.authelia import authelia_provider
from tests.support.people import ada
from tests.support.raw_client import connect
from tests.support.spans import told_by
from tests.support.waiting import until

TOKEN = "authelia_at_ada"
KINDS = {"userinfo", "kv_get", "kv_info", "kv_put", "smtp_send"}


@pytest.mark.usefixtures("people")
async def test_calls_of_userinfo_storage_and_mail_are_spans_below_the_request(stage):
    stage.userinfo.claims[TOKEN] = {"preferred_username": "ada", "sub": ada.subject}
    exporter, settings, registry = InMemorySpanExporter(), TelemetrySettings(), CollectorRegistry()
    exports = Exports(settings, "1")
    tracing = exports.tracing(exporter)
    client = await connect(stage.url)
    dependencies = Dependencies(nats=client, upstream=UpstreamTelemetry(registry, tracing))
    async with authelia_provider(stage.settings(), dependencies, kubernetes=stage.api) as provider:
        await until(lambda: not any(provider.readiness().values()))
        request = tracing.begin(None)
        set_trace(request)
        await provider.callers.verify(TOKEN, scope="read:current_user")
        await provider.verification.send_code("new@example.org")
        set_trace(None)
    await client.close()
    exports.close(10)
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == KINDS
    assert {(span.context.trace_id, span.parent.span_id) for span in spans} == {(request.trace_id, request.span_id)}
    assert {span.attributes["auth_service.outcome"] for span in spans} <= {"ok", "refused"}
    told = [told_by(span) for span in spans]
    assert [said for said in told if "ada" in said or "example.org" in said] == []
    # What is carried to Kubernetes belongs to no request; it is counted.
    counted = {"operation": "kubernetes_get_configmaps", "outcome": "ok"}
    assert registry.get_sample_value("auth_service_upstream_calls_total", counted) >= 1
    (userinfo,) = [span for span in spans if span.name == "userinfo"]
    assert stage.userinfo.headers["traceparent"].split("-")[2] == f"{userinfo.context.span_id:016x}"
