# SPDX-License-Identifier: MIT
"""Request counters: plain integers, written by requests and read by exporters.

Prometheus, OTLP and `$SRV.STATS` all read these numbers. They are plain because every request pays for them: the
client library's own counters and histograms, which lock, cost a request five times as much.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from app.domain.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

SUCCESS: Final = "success"
OUTCOMES: Final = (SUCCESS, *(str(fault) for fault in Fault))
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds; there is one more without a bound."""

_BOUNDS: Final = (*(str(bound) for bound in BUCKETS), "+Inf")


class SubjectCounts:
    """The numbers of one subject. Written by the event loop only."""

    __slots__ = ("durations", "last_error", "outcomes", "seconds")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.durations = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.last_error = ""

    def add(self, outcome: str, seconds: float) -> None:
        """Count a request that was answered, `seconds` after it was received."""
        self.outcomes[outcome] += 1
        self.durations[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return sum(self.outcomes.values())

    @property
    def errors(self) -> int:
        """How many of them with a failure, whosesoever fault."""
        return self.requests - self.outcomes[SUCCESS]


class RequestMetrics(Collector):
    """The numbers of all subjects, as Prometheus' registry asks for them. The subjects are the only label values."""

    def __init__(self) -> None:
        """Begin without a subject."""
        self.subjects: dict[str, SubjectCounts] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the two metrics."""
        requests = CounterMetricFamily("auth_service_requests", "Requests answered.", labels=("subject", "outcome"))
        name, text = "auth_service_request_duration_seconds", "Seconds from receiving a request to sending its reply."
        durations = HistogramMetricFamily(name, text, labels=("subject",))
        for subject, counts in self.subjects.items():
            for outcome, count in counts.outcomes.items():
                requests.add_metric((subject, outcome), count)
            buckets = list(zip(_BOUNDS, accumulate(counts.durations), strict=True))
            durations.add_metric((subject,), buckets, counts.seconds)
        return iter((requests, durations))
