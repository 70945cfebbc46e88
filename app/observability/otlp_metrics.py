# SPDX-License-Identifier: MIT
"""Metrics by OTLP: the same instruments that `/metrics` shows, read when it is time to send them.

OpenTelemetry's SDK sends, its instruments are not used: two sets would tell two stories, and its counters cost a
request ten times as much.
"""

from __future__ import annotations

import threading
from itertools import groupby, pairwise
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from loguru import logger
from opentelemetry.sdk.metrics import export as otlp
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.resources import Resource
    from prometheus_client import CollectorRegistry
    from prometheus_client import Metric as Family
    from prometheus_client.samples import Sample

SERVICE: Final = "lfx-v2-auth-service"
_CUMULATIVE: Final = otlp.AggregationTemporality.CUMULATIVE
_UNITS: Final = {"seconds": "s", "bytes": "By"}


class RegistryExport:
    """Sends what is in a Prometheus registry, again and again, and once more at the end."""

    def __init__(
        self, registry: CollectorRegistry, who: Resource, exporter: otlp.MetricExporter, interval: float
    ) -> None:
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

    def read(self) -> otlp.MetricsData:
        """Return everything as it is now."""
        now = time_ns()
        metrics = [self._metric(family, now) for family in self._registry.collect()]
        scope = otlp.ScopeMetrics(InstrumentationScope(SERVICE), metrics, "")
        return otlp.MetricsData([otlp.ResourceMetrics(self._who, [scope], "")])

    def _metric(self, family: Family, now: int) -> otlp.Metric:
        """Return one metric; the registry holds histograms, counters, and gauges."""
        data: Any
        if family.type == "histogram":
            data = otlp.Histogram(list(self._histograms(family, now)), _CUMULATIVE)
        elif family.type == "counter":
            totals = [self._number(sample, now) for sample in family.samples if sample.name.endswith("_total")]
            data = otlp.Sum(totals, _CUMULATIVE, is_monotonic=True)
        else:
            data = otlp.Gauge([self._number(sample, now) for sample in family.samples])
        return otlp.Metric(family.name, family.documentation, _UNITS.get(family.name.rpartition("_")[2], ""), data)

    def _number(self, sample: Sample, now: int) -> otlp.NumberDataPoint:
        return otlp.NumberDataPoint(sample.labels, self._started, now, float(sample.value))

    def _histograms(self, family: Family, now: int) -> Iterator[otlp.HistogramDataPoint]:
        for labels, group in groupby(family.samples, _without_bound):
            samples = list(group)
            buckets = [sample for sample in samples if sample.name.endswith("_bucket")]
            upto = [int(bucket.value) for bucket in buckets]
            yield otlp.HistogramDataPoint(
                labels,
                self._started,
                now,
                count=upto[-1],
                sum=next(sample.value for sample in samples if sample.name.endswith("_sum")),
                bucket_counts=[count - before for before, count in pairwise((0, *upto))],
                explicit_bounds=[float(bucket.labels["le"]) for bucket in buckets[:-1]],
                min=None,  # type: ignore[arg-type]  # unknown, which the encoder leaves out
                max=None,  # type: ignore[arg-type]
            )


def _without_bound(sample: Sample) -> dict[str, str]:
    return {name: value for name, value in sample.labels.items() if name != "le"}
