# SPDX-License-Identifier: MIT
"""Metrics, and the records of each request: a count, a span, a log record."""

from __future__ import annotations

import asyncio
import math
import traceback
from typing import TYPE_CHECKING, Any, Final, TypeVar

from loguru import logger
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.domain.errors import WIRES, Fault, ServiceError, UpstreamError
from app.observability.read_metrics import ReadTelemetry
from app.observability.request_metrics import SUCCESS, RequestMetrics, SubjectCounts
from app.observability.tracing import Trace, Tracing, current_trace
from app.observability.upstream_metrics import UpstreamTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

    Sent = Callable[[bytes], list[str]]
    """What of a request's body must not be logged."""

T = TypeVar("T")

_LEVELS: Final = {Fault.UPSTREAM: "WARNING", Fault.OWN: "ERROR"}
"""Of failures that are not the caller's; those are `INFO`."""
_MAX_SHOWN: Final = 100


class Telemetry:
    """The instruments of one running service, in a registry of their own."""

    def __init__(self, *, version: str, provider: str, tracing: Tracing | None = None) -> None:
        """Make the instruments; `version` and `provider` describe the service."""
        self.version = version
        self.tracing = tracing or Tracing()
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = RequestMetrics()
        self.registry.register(self.requests)
        self._lost = self._counter("replies_lost", "Replies that could not be sent.")
        self._event_failures = self._counter("event_failures", "Events that could not be published.")
        text = "Requests answered `request timed out` because the service had to stop."
        self._cut_short = self._counter("drain_unfinished", text)
        self.upstream = UpstreamTelemetry(self.registry, self.tracing)
        self.reads = ReadTelemetry(self.registry)
        info = Gauge("auth_service_info", "Always 1.", ("version", "provider"), registry=self.registry)
        info.labels(version, provider).set(1)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"auth_service_{name}", text, registry=self.registry)

    def show(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number as `auth_service_…`, asked for when somebody looks."""
        Gauge(f"auth_service_{name}", text, registry=self.registry).set_function(lambda: _harmless(value, math.nan))

    def measure(self, measurements: Callable[[], Mapping[str, float]]) -> None:
        """Show what a provider measures: by metric name, those that end in `_total` as counters."""
        self.registry.register(_Measurements(measurements))

    def of_subject(self, name: str, sent: Sent) -> SubjectTelemetry:
        """Return the instruments of one subject: its short name, and what finds a body's secrets."""
        counts = self.requests.subjects.setdefault(name, SubjectCounts())
        return SubjectTelemetry(name, sent, counts, self._lost, self.tracing)

    def drain_cut_short(self, unfinished: int) -> None:
        """Count and log requests for which there was no time left."""
        self._cut_short.inc(unfinished)
        logger.warning("drain cut short", unfinished=unfinished)

    def event_failed(self, error: BaseException) -> None:
        """Count and log an event that could not be published."""
        self._event_failures.inc()
        logger.opt(exception=error).error("event was not published")

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Measurements(Collector):
    """What a provider measures, asked for when somebody looks."""

    def __init__(self, measurements: Callable[[], Mapping[str, float]]) -> None:
        self._measurements = measurements

    def collect(self) -> Iterator[Metric]:
        """Yield a metric each."""
        nothing: Mapping[str, float] = {}
        for name, value in _harmless(self._measurements, nothing).items():
            text = name.removeprefix("auth_service_").replace("_", " ").capitalize() + "."
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(name.removesuffix("_total"), text, value)


class SubjectTelemetry:
    """Counts, times and logs the requests of one subject."""

    def __init__(self, name: str, sent: Sent, counts: SubjectCounts, lost: Counter, tracing: Tracing) -> None:
        """Take what `of_subject` takes, where requests are counted, and what records their spans."""
        self.tracing = tracing
        self._sent = sent
        self._counts = counts
        self._lost = lost
        self._log = logger.bind(subject=name)
        # Asked for at every success: whether anybody reads debug records is settled before the service starts.
        self._debugging = _is_read("DEBUG")

    def answered(self, error: ServiceError | None, seconds: float, body: bytes, trace: Trace | None) -> None:
        """Take note of a reply to `body`, `seconds` after the request was received."""
        if trace is not None and trace.sampled:
            self.tracing.answered(trace, error)
        self._counts.add(SUCCESS if error is None else error.fault, seconds)
        if error is not None:
            self._failed(error, seconds, body, trace)
        elif self._debugging:
            record = self._log.bind(outcome=SUCCESS, duration_ms=_milliseconds(seconds), trace=trace)
            record.debug("request answered")

    def _failed(self, error: ServiceError, seconds: float, body: bytes, trace: Trace | None) -> None:
        # Of an error that repeats an upstream's words only the kind: this can be read by anybody on the bus.
        self._counts.last_error = error.wire if error.wire in WIRES else error.fault
        level = _LEVELS.get(error.fault, "INFO")
        fields = {"outcome": error.fault.value, "error": error.wire, "duration_ms": _milliseconds(seconds)}
        record = self._log.bind(**fields, trace=trace)
        if isinstance(error, UpstreamError) and error.__cause__ is not None:
            record = record.bind(cause=_described(error.__cause__), secrets=self._sent(body))
        record.log(level, "request refused" if level == "INFO" else "request failed")

    def unexpected(self, error: BaseException, body: bytes, trace: Trace | None = None) -> None:
        """Log an exception that nobody expected, with its traceback and without what the caller sent."""
        record = self._log.bind(secrets=self._sent(body), trace=trace or current_trace())
        record.opt(exception=error).error("unexpected exception")

    def reply_lost(self, error: BaseException, trace: Trace | None) -> None:
        """Take note of a reply that could not be sent."""
        self._lost.inc()
        self._log.bind(trace=trace).opt(exception=error).error("reply could not be sent")

    def reply_refused(self, reply: str, trace: Trace | None) -> None:
        """Log a reply subject that is no inbox. The request is handled, and gets no reply."""
        self._log.bind(reply=reply[:_MAX_SHOWN], trace=trace).warning("reply subject is no inbox")

    def ended_late(self, error: BaseException | None, body: bytes, trace: Trace | None) -> None:
        """Log how the steps after a write ended, for a request that had got `request timed out`."""
        cut_off = isinstance(error, asyncio.CancelledError)
        outcome = "done" if error is None else "cut off" if cut_off else _described(error)
        record = self._log.bind(outcome=outcome, secrets=self._sent(body), trace=trace)
        record.warning("write ended after the request had timed out")


def _harmless(measure: Callable[[], T], otherwise: T) -> T:
    """Return what is measured; a failure is logged, and takes no other metric with it."""
    try:
        return measure()
    except Exception:  # noqa: BLE001 - whatever it is, the others are asked for too
        logger.exception("a metric could not be measured")
        return otherwise


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _is_read(level: str) -> bool:
    core: Any = logger._core  # type: ignore[attr-defined]  # noqa: SLF001 - loguru has no question for it
    return bool(core.min_level <= logger.level(level).no)


def _described(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()
