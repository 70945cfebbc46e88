# SPDX-License-Identifier: MIT
"""The export to a collector, if any. Only this module decides whether OpenTelemetry's SDK is loaded."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from app.observability.telemetry import Telemetry
from app.observability.tracing import Tracing
from app.settings.exporters import tidy_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.observability.logs import Sink
    from app.settings.telemetry import TelemetrySettings

_FLUSH_TIME: Final = 0.4
"""Seconds in which what is left must be sent when the service stops."""


@asynccontextmanager
async def exporting(
    settings: TelemetrySettings, *, version: str, provider: str, sink: Sink | None = None
) -> AsyncIterator[Telemetry]:
    """Yield the instruments, and export the configured signals while the context lasts.

    `sink` is where log records are taken from.
    """
    protocols = settings.protocols
    if not protocols:
        yield Telemetry(version=version, provider=provider, tracing=Tracing(settings.propagators))
        return
    tidy_environment(protocols, insecure=settings.insecure)
    from app.observability.otlp import Exports, exporter  # noqa: PLC0415 - not without an exporter

    exports, senders = Exports(settings, version), {signal: exporter(signal, protocols[signal]) for signal in protocols}
    tracing = exports.tracing(senders["traces"]) if "traces" in senders else Tracing(settings.propagators)
    telemetry = Telemetry(version=version, provider=provider, tracing=tracing)
    if "metrics" in senders:
        exports.metrics(telemetry.registry, senders["metrics"])
    if "logs" in senders and sink is not None:
        sink.forward = exports.logs(senders["logs"])
    try:
        yield telemetry
    finally:
        await asyncio.to_thread(exports.close, _FLUSH_TIME)
