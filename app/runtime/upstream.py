"""Metrics of what a provider does with its upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)


class UpstreamTelemetry:
    """Counts and times calls of the upstream; what `ports.Upstream` asks for.

    Operations and outcomes are constants of the provider, so that the number of series is bounded.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the instruments in `registry`."""
        self._calls = Counter(
            "auth_service_upstream_calls",
            "Attempts to call the identity provider.",
            ("operation", "outcome"),
            registry=registry,
        )
        self._durations = Histogram(
            "auth_service_upstream_duration_seconds",
            "Seconds that an attempt took.",
            ("operation",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._retries = Counter(
            "auth_service_upstream_retries", "Attempts that repeat another.", ("operation",), registry=registry
        )
        self._coalesced = Counter(
            "auth_service_upstream_coalesced",
            "Reads that shared the answer of an identical one in flight.",
            ("operation",),
            registry=registry,
        )
        self._refreshes = Counter(
            "auth_service_upstream_refreshes",
            "Refreshes of the key set and of the service's own token.",
            ("what", "outcome"),
            registry=registry,
        )

    def finished(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one attempt of `operation`, how it ended and how long it took."""
        self._calls.labels(operation, outcome).inc()
        self._durations.labels(operation).observe(seconds)

    def retried(self, operation: str) -> None:
        """Count an attempt that repeats another."""
        self._retries.labels(operation).inc()

    def coalesced(self, operation: str) -> None:
        """Count a read that shares the answer of another one in flight."""
        self._coalesced.labels(operation).inc()

    def refreshed(self, what: str, outcome: str) -> None:
        """Count a refresh of keys or of a token, and how it ended."""
        self._refreshes.labels(what, outcome).inc()
