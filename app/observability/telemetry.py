# SPDX-License-Identifier: MIT
"""Metrics, and what is said of every request: a count, a span, a log record."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any, Final

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
from app.observability.tracing import Trace, Tracing
from app.observability.upstream_metrics import UpstreamTelemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

    Sent = Callable[[bytes], list[str]]
    """What of a request's body must not be logged."""

_LEVELS: Final = {
    Fault.CALLER: "INFO",
    Fault.CONFLICT: "INFO",
    Fault.LIMIT: "INFO",
    Fault.UPSTREAM: "WARNING",
    Fault.OWN: "ERROR",
}
_MAX_SHOWN: Final = 100


class Telemetry:
    """The instruments of one running service, in a registry of their own."""

    def __init__(self, *, version: str, provider: str, tracing: Tracing | None = None) -> None:
        """Make the instruments; `version` and `provider` describe the service."""
        self.version = version
        self.tracing = tracing or Tracing()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = RequestMetrics()
        self.registry.register(self.requests)
        self._lost = Counter("auth_service_replies_lost", "Replies that could not be sent.", registry=self.registry)
        self._event_failures = Counter(
            "auth_service_event_failures", "Events that could not be published.", registry=self.registry
        )
        self._cut_short = Counter(
            "auth_service_drain_unfinished",
            "Requests answered `request timed out` because the service had to stop.",
            registry=self.registry,
        )
        self.upstream = UpstreamTelemetry(self.registry, self.tracing)
        self.reads = ReadTelemetry(self.registry)
        Gauge("auth_service_info", "Always 1.", ("version", "provider"), registry=self.registry).labels(
            version, provider
        ).set(1)

    def watch_work(self, at_work: Callable[[], int], pending: Callable[[], int]) -> None:
        """Show how many requests are at work and how many wait."""
        gauge = Gauge("auth_service_requests_in_flight", "Requests at work.", registry=self.registry)
        gauge.set_function(at_work)
        gauge = Gauge("auth_service_requests_pending", "Requests that wait for their turn.", registry=self.registry)
        gauge.set_function(pending)

    def watch_readiness(self, ready: Callable[[], bool]) -> None:
        """Show whether the service is ready, as `/readyz` says it."""
        gauge = Gauge("auth_service_ready", "1 when requests are served, else 0.", registry=self.registry)
        gauge.set_function(lambda: 1.0 if ready() else 0.0)

    def watch_drain(self, seconds: Callable[[], float]) -> None:
        """Show for how many seconds the service has been stopping: 0 while it is not."""
        gauge = Gauge("auth_service_drain_seconds", "Seconds since the drain began, else 0.", registry=self.registry)
        gauge.set_function(seconds)

    def measure(self, measurements: Callable[[], Mapping[str, float]]) -> None:
        """Show what a provider measures: by metric name, those that end in `_total` as counters."""
        self.registry.register(_Measurements(measurements))

    def of_subject(self, name: str, address: str, sent: Sent) -> SubjectTelemetry:
        """Return the instruments of one subject: its short name, its whole name, and what finds a body's secrets."""
        return SubjectTelemetry(name, address, sent, self.requests.of_subject(name), self._lost, self.tracing)

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
        for name, value in self._measurements().items():
            text = name.removeprefix("auth_service_").replace("_", " ").capitalize() + "."
            if name.endswith("_total"):
                yield CounterMetricFamily(name.removesuffix("_total"), text, value)
            else:
                yield GaugeMetricFamily(name, text, value)


class SubjectTelemetry:
    """Counts, times and logs the requests of one subject."""

    def __init__(  # noqa: PLR0913, PLR0917 - made by `Telemetry` alone
        self, name: str, address: str, sent: Sent, counts: SubjectCounts, lost: Counter, tracing: Tracing
    ) -> None:
        """Take what `of_subject` takes, where requests are counted, and what records their spans."""
        self.tracing = tracing
        self._subject = name
        self._sent = sent
        self._span = address
        self._counts = counts
        self._lost = lost
        self._debug = logger.bind(subject=name, outcome=SUCCESS)
        # Asked for at every success: whether anybody reads debug records is settled before the service starts.
        self._debugging = _is_read("DEBUG")

    def answered(self, error: ServiceError | None, seconds: float, body: bytes, trace: Trace | None) -> None:
        """Take note of a reply to `body`, `seconds` after the request was received."""
        if trace is not None and trace.sampled:
            self.tracing.answered(trace, self._span, error)
        if error is None:
            self._counts.add(SUCCESS, seconds)
            if self._debugging:
                self._debug.bind(duration_ms=_milliseconds(seconds), trace=trace).debug("request answered")
            return
        self._counts.add(error.fault, seconds)
        # Of an error that repeats an upstream's words only the kind: this can be read by anybody on the bus.
        self._counts.last_error = error.wire if error.wire in WIRES else error.fault
        level = _LEVELS[error.fault]
        record = logger.bind(
            subject=self._subject,
            outcome=error.fault.value,
            error=error.wire,
            duration_ms=_milliseconds(seconds),
            trace=trace,
        )
        if isinstance(error, UpstreamError) and error.__cause__ is not None:
            record = record.bind(cause=_described(error.__cause__), secrets=self._sent(body))
        record.log(level, "request refused" if level == "INFO" else "request failed")

    def unexpected(self, error: BaseException, body: bytes, trace: Trace | None = None) -> None:
        """Log an exception that nobody expected, with its traceback and without what the caller sent."""
        logger.bind(subject=self._subject, secrets=self._sent(body), trace=trace).opt(exception=error).error(
            "unexpected exception"
        )

    def reply_lost(self, error: BaseException, trace: Trace | None) -> None:
        """Take note of a reply that could not be sent."""
        self._lost.inc()
        logger.bind(subject=self._subject, trace=trace).opt(exception=error).error("reply could not be sent")

    def reply_refused(self, reply: str, trace: Trace | None) -> None:
        """Take note of a request whose reply would go where it is none; it is handled and not replied to."""
        logger.bind(subject=self._subject, reply=reply[:_MAX_SHOWN], trace=trace).warning("reply subject is no inbox")

    def ended_late(self, error: BaseException | None, body: bytes, trace: Trace | None) -> None:
        """Log how the steps after a write ended, for a request to which the answer had been that its time was up."""
        if error is None:
            outcome = "done"
        elif isinstance(error, asyncio.CancelledError):
            outcome = "cut off"
        else:
            outcome = _described(error)
        record = logger.bind(subject=self._subject, outcome=outcome, secrets=self._sent(body), trace=trace)
        record.warning("write ended after the request had timed out")


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _is_read(level: str) -> bool:
    core: Any = logger._core  # type: ignore[attr-defined]  # noqa: SLF001 - loguru has no question for it
    return bool(core.min_level <= logger.level(level).no)


def _described(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()
