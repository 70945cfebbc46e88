# SPDX-License-Identifier: MIT
"""Metrics by OTLP: the same instruments that `/metrics` shows, read when it is time to send them.

OpenTelemetry's SDK sends, its instruments are not used: two sets would tell two stories, and its counters cost a
request ten times as much.
"""

from __future__ import annotations

import threading
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from loguru import logger
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.resources import Resource
    from prometheus_client import CollectorRegistry
    from prometheus_client import Metric as Family
    from prometheus_client.samples import Sample

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_UNITS: Final = {"_seconds": "s", "_bytes": "By"}


class RegistryExport:
    """Sends what is in a Prometheus registry, again and again, and once more at the end."""

    def __init__(self, registry: CollectorRegistry, who: Resource, exporter: MetricExporter, interval: float) -> None:
        """Take what to read, who this is, what sends it, and the seconds between; a thread begins at once."""
        self._registry = registry
        self._who = who
        self._exporter = exporter
        self._interval = interval
        self._started = time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def shutdown(self) -> None:
        """Send everything once more, and wait for that."""
        self._stopping.set()
        self._thread.join()
        self._exporter.shutdown()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(self._interval)
            try:
                self._exporter.export(self.read())
            except Exception:  # noqa: BLE001 - whatever it is, there is a next time
                logger.exception("metrics could not be sent")

    def read(self) -> MetricsData:
        """Return everything as it is now."""
        now = time_ns()
        metrics = [metric for family in self._registry.collect() if (metric := self._metric(family, now))]
        scope = ScopeMetrics(InstrumentationScope("lfx-v2-auth-service"), metrics, "")
        return MetricsData([ResourceMetrics(self._who, [scope], "")])

    def _metric(self, family: Family, now: int) -> Metric | None:
        unit = next((unit for ending, unit in _UNITS.items() if family.name.endswith(ending)), "")
        data: Any
        if family.type == "histogram":
            data = Histogram(list(self._histograms(family, now)), _CUMULATIVE)
        elif family.type == "counter":
            totals = [sample for sample in family.samples if sample.name.endswith("_total")]
            data = Sum([self._number(sample, now) for sample in totals], _CUMULATIVE, is_monotonic=True)
        elif family.type in {"gauge", "info"}:
            data = Gauge([self._number(sample, now) for sample in family.samples])
        else:
            return None
        return Metric(family.name, family.documentation, unit, data)

    def _number(self, sample: Sample, now: int) -> NumberDataPoint:
        return NumberDataPoint(sample.labels, self._started, now, float(sample.value))

    def _histograms(self, family: Family, now: int) -> Iterator[HistogramDataPoint]:
        series: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "le"}
            found = series.setdefault(tuple(labels.items()), {"labels": labels, "buckets": [], "sum": 0.0})
            if sample.name.endswith("_bucket"):
                found["buckets"].append((float(sample.labels["le"]), int(sample.value)))
            elif sample.name.endswith("_sum"):
                found["sum"] = sample.value
        for found in series.values():
            bounds, upto = zip(*found["buckets"], strict=True)
            counts = [count - before for count, before in zip(upto, (0, *upto[:-1]), strict=True)]
            yield HistogramDataPoint(
                found["labels"],
                self._started,
                now,
                count=upto[-1],
                sum=found["sum"],
                bucket_counts=counts,
                explicit_bounds=bounds[:-1],
                min=None,  # type: ignore[arg-type]  # unknown, which the encoder leaves out
                max=None,  # type: ignore[arg-type]
            )
