# SPDX-License-Identifier: MIT
"""Spans and metrics by OTLP, with OpenTelemetry's SDK. Imported only when an exporter is configured.

The SDK reads its own variables (`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*`, `OTEL_EXPORTER_OTLP_*` and so on), samples,
makes spans, batches and sends, on threads of its own. Whether a request is sampled is told apart before, at a tenth of
what the SDK takes to find it out; a span is made when it is over.
"""

from __future__ import annotations

import asyncio
import os
import threading
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from app.domain.errors import WIRES, Fault
from app.observability.tracing import Trace, Tracing, current_trace, new_span_id, new_trace_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter
    from prometheus_client import CollectorRegistry

    from app.domain.errors import ServiceError
    from app.settings.telemetry import TelemetrySettings

SERVICE: Final = "lfx-v2-auth-service"

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNSET: Final = Status(StatusCode.UNSET)
_FAILED: Final = frozenset((Fault.UPSTREAM, Fault.OWN))
_LOW_HALF: Final = TraceIdRatioBased.TRACE_ID_LIMIT
_NOTHING: Final = Context()
_SYSTEM: Final = {"messaging.system": "nats"}


def tidy_environment(settings: TelemetrySettings) -> None:
    """Rewrite what the SDK would misread: variables set to nothing, the compression `none`, an endpoint without scheme.

    Certificates are those of `SSL_CERT_FILE`, which the exporters do not look at, unless they have a file of their own.
    """
    for name in [name for name in os.environ if name.startswith("OTEL_") and name.endswith("_COMPRESSION")]:
        if os.environ[name].strip().lower() == "none":
            del os.environ[name]
    for name in [name for name, value in os.environ.items() if name.startswith("OTEL_") and not value.strip()]:
        del os.environ[name]
    if trusted := os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("OTEL_EXPORTER_OTLP_CERTIFICATE", trusted)
    scheme = "http" if settings.insecure else "https"
    for signal, protocol in settings.protocols.items():
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
            endpoint = os.environ.get(name, "")
            if protocol == "http/protobuf" and endpoint and "://" not in endpoint:
                os.environ[name] = f"{scheme}://{endpoint}"


def resource(settings: TelemetrySettings, version: str) -> Resource:
    """Return who this is: as the environment says, by default the service's own name and version."""
    ours = {SERVICE_NAME: SERVICE, SERVICE_VERSION: settings.service_version or version}
    found = Resource.create()
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: SERVICE}))
    return Resource(ours).merge(found)


class _Ids(IdGenerator):
    """Gives a span the ids under which the request was known already: to the log, to upstreams, to events."""

    trace: Trace

    def generate_trace_id(self) -> int:
        """Return the id of the trace; asked for when there is no parent."""
        return self.trace.trace_id

    def generate_span_id(self) -> int:
        """Return the id of the span."""
        return self.trace.span_id


class RecordingTracing(Tracing):
    """Records a span for every request that the sampler takes, and for every upstream call in it."""

    records = True

    def __init__(
        self,
        settings: TelemetrySettings,
        who: Resource,
        exporter: SpanExporter,
    ) -> None:
        """Take the configuration, who this is, and what sends the spans."""
        super().__init__(settings.propagators)
        ratio = {"on": 1.0, "off": 0.0, "traceidratio": settings.sampler_argument}[settings.sampler.rpartition("_")[2]]
        root = TraceIdRatioBased(ratio)
        self._sampler = ParentBased(root) if settings.sampler.startswith("parentbased") else root
        # Of a new trace the sampler is not asked but compared with: the same answer at a tenth of the price.
        self._bound = root.bound
        self._ids = _Ids()
        self._provider = TracerProvider(self._sampler, who, shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE, str(who.attributes[SERVICE_VERSION]), attributes=_SYSTEM)

    def begin(self, headers: Mapping[str, str] | None) -> Trace | None:
        """Return the trace of a request, the caller's or a new one. Raises nothing."""
        if headers and (inherited := super().begin(headers)) is not None:
            return self._continued(inherited)
        trace_id = new_trace_id()
        sampled = trace_id & _LOW_HALF < self._bound
        return Trace(trace_id, new_span_id(), sampled, time_ns() if sampled else 0)

    def answered(self, trace: Trace, name: str, error: ServiceError | None) -> None:
        """Record the span of a request."""
        source = {"auth_service.source": trace.source} if trace.source else {}
        if error is None:
            self._record(trace, name, SpanKind.SERVER, source, _UNSET)
            return
        # What an upstream said is in no attribute: it may name somebody.
        attributes = {**source, "auth_service.outcome": str(error.fault), "error.type": _described(error)}
        status = Status(StatusCode.ERROR, _described(error)) if error.fault in _FAILED else _UNSET
        self._record(trace, name, SpanKind.SERVER, attributes, status)

    def calling(self) -> Trace | None:
        """Return the span of an upstream call, below the current one; None outside of a request that is sampled."""
        above = current_trace()
        if above is None or not above.sampled:
            return None
        state = None if above.parent is None else above.parent.trace_state
        parent = SpanContext(above.trace_id, above.span_id, is_remote=False, trace_flags=_SAMPLED, trace_state=state)
        return Trace(above.trace_id, new_span_id(), True, time_ns(), parent, above.carried)  # noqa: FBT003 - by position, see there

    def called(self, trace: Trace, operation: str, outcome: str) -> None:
        """Record the span of an upstream call."""
        attributes = {"auth_service.outcome": outcome}
        status = _UNSET if outcome in {"ok", "refused"} else Status(StatusCode.ERROR, outcome)
        self._record(trace, operation, SpanKind.CLIENT, attributes, status)

    def shutdown(self) -> None:
        """Send what is left, and wait for that."""
        self._provider.shutdown()

    def _continued(self, inherited: Trace) -> Trace:
        sampled = self._asked(inherited.carried, inherited.trace_id)
        started = time_ns() if sampled else 0
        return Trace(inherited.trace_id, new_span_id(), sampled, started, inherited.parent, inherited.carried)

    def _asked(self, parent: Context | None, trace_id: int) -> bool:
        decision = self._sampler.should_sample(parent, trace_id, SERVICE, SpanKind.SERVER).decision
        return decision is Decision.RECORD_AND_SAMPLE

    def _record(self, trace: Trace, name: str, kind: SpanKind, attributes: Mapping[str, str], status: Status) -> None:
        # Spans are made by the event loop alone, one after the other.
        self._ids.trace = trace
        above = _NOTHING if trace.parent is None else set_span_in_context(NonRecordingSpan(trace.parent), _NOTHING)
        span = self._tracer.start_span(name, above, kind, attributes, start_time=trace.started)
        if status is not _UNSET:
            span.set_status(status)
        span.end()


def _described(error: ServiceError) -> str:
    return error.wire if error.wire in WIRES else str(error.fault)


class Exports:
    """What is exported: each signal on threads of the SDK."""

    def __init__(self, settings: TelemetrySettings, who: Resource) -> None:
        """Take the configuration, and who this is."""
        self._settings = settings
        self._who = who
        self._ends: list[tuple[Watched, Callable[[], object]]] = []

    def tracing(self, exporter: SpanExporter) -> Tracing:
        """Return what records spans and sends them with `exporter`."""
        watched: Any = Watched(exporter)
        tracing = RecordingTracing(self._settings, self._who, watched)
        self._ends.append((watched, tracing.shutdown))
        return tracing

    def metrics(self, registry: CollectorRegistry, exporter: MetricExporter) -> None:
        """Send what is in `registry` with `exporter`."""
        from app.observability.otlp_metrics import RegistryExport  # noqa: PLC0415 - where metrics are exported only

        watched: Any = Watched(exporter)
        export = RegistryExport(registry, self._who, watched, self._settings.metrics_interval / 1000)
        self._ends.append((watched, export.shutdown))

    def logs(self, exporter: LogRecordExporter) -> Callable[[dict[str, object]], None]:
        """Return what takes the fields of a log record and sends them with `exporter`."""
        from app.observability.otlp_logs import LogForwarder  # noqa: PLC0415 - where log records are exported only

        watched: Any = Watched(exporter)
        forwarder = LogForwarder(self._who, watched)
        self._ends.append((watched, forwarder.shutdown))
        return forwarder

    async def close(self, within: float) -> None:
        """Send what is left, in at most `within` seconds; where the last attempt failed, nobody is waited for."""
        await asyncio.gather(*(in_time(shutdown, within) for watched, shutdown in self._ends if watched.works))


class Watched:
    """An exporter that is known to have got through the last time, or not."""

    def __init__(self, exporter: Any) -> None:  # noqa: ANN401 - of three kinds of exporter
        """Take the exporter."""
        self.works = True
        self._exporter = exporter

    def export(self, batch: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        """Send a batch."""
        self.works = False  # until the opposite is known: it may hang
        result = self._exporter.export(batch, **options)
        self.works = result.name == "SUCCESS"
        return result

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Be the exporter in everything else."""
        return getattr(self._exporter, name)


async def in_time(work: Callable[[], object], within: float) -> None:
    """Do blocking work on a thread for which nobody waits longer than `within` seconds, not even the interpreter."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="telemetry", daemon=True).start()
    try:
        async with asyncio.timeout(within):
            await done.wait()
    except TimeoutError:
        pass
