# SPDX-License-Identifier: MIT
"""Spans and log records by OTLP, with OpenTelemetry's SDK. Imported only when an exporter is configured.

The SDK reads its own variables (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_*` and so on), samples,
makes spans, batches, encodes and sends, on threads of its own.
"""

from __future__ import annotations

import time
from http.cookiejar import DefaultCookiePolicy
from importlib import import_module
from importlib.metadata import entry_points
from random import getrandbits, randrange
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from app.observability.otlp_metrics import SERVICE, RegistryExport
from app.observability.tracing import Trace, Tracing

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter
    from prometheus_client import CollectorRegistry

    from app.settings.telemetry import TelemetrySettings

_SYSTEM: Final = {"messaging.system": "nats"}
_OF_THE_RECORD: Final = frozenset(("time", "level", "message", "trace_id", "span_id"))
_LARGEST_ANSWER: Final = 64 * 1024
"""Bytes that are read of a collector's answer."""
_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warn": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}


def exporter(signal: str, protocol: str) -> Any:  # noqa: ANN401 - one of six classes
    """Return the exporter of a signal (`traces`, `metrics`, `logs`), found by its entry point as in the SDK."""
    name = f"otlp_proto_{protocol.partition('/')[0]}"
    (found,) = entry_points(group=f"opentelemetry_{signal}_exporter", name=name)
    if protocol == "grpc":
        return found.load()()
    session = import_module("requests").Session()
    session.trust_env = False  # a `.netrc` would replace configured headers, and `REQUESTS_CA_BUNDLE` certificates
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.stream = True
    session.hooks["response"].append(_read_little)
    return found.load()(session=session)


def _read_little(response: Any, *, timeout: float, **_: object) -> None:  # noqa: ANN401 - requests has no types
    """Read a collector's answer, of which nothing is used, so that the connection can be used again.

    The library would read all that comes, however slowly: its time is that of each read.
    """
    end, left = time.monotonic() + timeout, _LARGEST_ANSWER
    while left > 0 and time.monotonic() < end:
        if not (piece := response.raw.read1(left, decode_content=False)):
            return
        left -= len(piece)
    response.close()


class _Who(Resource):
    """Who this is: as the environment says, by default the service's own name and version."""

    def __init__(self, version: str) -> None:
        found = Resource.create()
        if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
            found = found.merge(Resource({SERVICE_NAME: SERVICE}))
        super().__init__({SERVICE_VERSION: version, **found.attributes}, found.schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        """Return what was worked out once: the exporter asks with every span."""
        return self._hash


class _SampledIds(RandomIdGenerator):
    """Makes ids of new traces that the ratio sampler takes: `Tracing` asks the tracer for no others."""

    def __init__(self, bound: int) -> None:
        self._bound = bound

    def generate_trace_id(self) -> int:
        """Return an id whose low half is below the sampler's bound."""
        return getrandbits(64) << 64 | randrange(self._bound) or 1  # noqa: S311 - an id, no secret


class Exports:
    """What is exported, each signal on threads of the SDK."""

    def __init__(self, settings: TelemetrySettings, version: str) -> None:
        """Take the configuration, and the version of the service."""
        self._settings = settings
        self._who = _Who(settings.service_version or version)
        self._ends: list[Callable[[], object]] = []

    def tracing(self, exporter: SpanExporter) -> Tracing:
        """Return what records spans and sends them with `exporter`."""
        settings = self._settings
        ratio = {"on": 1.0, "off": 0.0, "traceidratio": settings.sampler_argument}[settings.sampler.rpartition("_")[2]]
        root = TraceIdRatioBased(ratio)
        sampler = ParentBased(root) if settings.sampler.startswith("parentbased") else root
        ids = _SampledIds(root.bound)
        provider = TracerProvider(sampler, self._who, shutdown_on_exit=False, id_generator=ids)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._ends.append(provider.shutdown)
        tracer = provider.get_tracer(SERVICE, str(self._who.attributes[SERVICE_VERSION]), attributes=_SYSTEM)
        return Tracing(settings.propagators, tracer, root.bound)

    def metrics(self, registry: CollectorRegistry, exporter: MetricExporter) -> None:
        """Send what is in `registry` with `exporter`."""
        export = RegistryExport(registry, self._who, exporter, self._settings.metrics_interval / 1000)
        self._ends.append(export.shutdown)

    def logs(self, exporter: LogRecordExporter) -> Callable[[dict[str, Any]], None]:
        """Return what takes the fields of a log record, as the sink writes it, and sends them with `exporter`."""
        provider = LoggerProvider(self._who, shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._ends.append(provider.shutdown)
        emit = provider.get_logger(SERVICE).emit

        def forward(fields: dict[str, Any]) -> None:
            # A failure to send is not sent as well: it would bring forth the next one.
            if not str(fields.get("logger", "")).startswith("opentelemetry"):
                emit(_record(fields))

        return forward

    def close(self, within: float) -> None:
        """Send what is left, in at most `within` seconds: nobody waits longer, not even the interpreter."""
        end = time.monotonic() + within
        threads = [Thread(target=shutdown, name="telemetry", daemon=True) for shutdown in self._ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def _encodable(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    """Return a text with half characters as escapes. The exporter would lose the field, or the whole batch."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _record(fields: dict[str, Any]) -> LogRecord:
    trace = Trace(int(fields["trace_id"], 16), int(fields["span_id"], 16)) if "trace_id" in fields else None
    return LogRecord(
        timestamp=time.time_ns(),
        context=trace.context(Context()) if trace else Context(),
        severity_text=fields["level"],
        severity_number=_SEVERITIES[fields["level"]],
        body=_encodable(fields["message"]),
        attributes={
            _encodable(name): _encodable(value)
            for name, value in fields.items()
            if name not in _OF_THE_RECORD and value is not None
        },
    )
