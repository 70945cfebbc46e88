# SPDX-License-Identifier: MIT
"""What is sent to a collector, if anything: the only place that decides whether OpenTelemetry's SDK is loaded."""

from __future__ import annotations

import importlib
from contextlib import asynccontextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

from app.observability.telemetry import Telemetry
from app.observability.tracing import Tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.observability.logs import Sink
    from app.settings.telemetry import TelemetrySettings

_PACKAGES: Final = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
_EXPORTERS: Final = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
}

FLUSH_TIME: Final = 0.4
"""Seconds in which what is left must be sent when the service stops."""


@asynccontextmanager
async def exporting(
    settings: TelemetrySettings, *, version: str, provider: str, sink: Sink | None = None
) -> AsyncIterator[Telemetry]:
    """Give the instruments; what is asked for is sent to the collector while the context lasts.

    `sink` is where log records are taken from.
    """
    protocols = settings.protocols
    if not protocols:
        yield Telemetry(version=version, provider=provider, tracing=Tracing(settings.propagators))
        return
    from app.observability import otlp  # noqa: PLC0415 - not without an exporter

    otlp.tidy_environment(settings)
    exports = otlp.Exports(settings, otlp.resource(settings, version))
    tracing = exports.tracing(_exporter("traces", protocols)) if "traces" in protocols else None
    telemetry = Telemetry(version=version, provider=provider, tracing=tracing or Tracing(settings.propagators))
    if "metrics" in protocols:
        exports.metrics(telemetry.registry, _exporter("metrics", protocols))
    if "logs" in protocols and sink is not None:
        sink.forward = exports.logs(_exporter("logs", protocols))
    try:
        yield telemetry
    finally:
        await exports.close(FLUSH_TIME)


def _exporter(signal: str, protocols: dict[str, str]) -> Any:  # noqa: ANN401 - one of six classes of the SDK
    name, exporter = _EXPORTERS[signal]
    module: Any = importlib.import_module(f"{_PACKAGES[protocols[signal]]}.{name}")
    return getattr(module, exporter)(**({} if protocols[signal] == "grpc" else {"session": _session()}))


def _session() -> Any:  # noqa: ANN401 - a session of requests, which comes with the exporters
    session = importlib.import_module("requests").Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session
