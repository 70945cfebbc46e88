# SPDX-License-Identifier: MIT
"""Metrics and spans of a provider's upstream calls."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

from app.domain.errors import Fault, ServiceError
from app.observability.tracing import Tracing, current_trace, set_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import CollectorRegistry

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)


@dataclass
class Attempt:
    """How an attempt ended, if the caller sets it."""

    outcome: str = ""


class UpstreamTelemetry:
    """Counts and times calls of the upstream; what `ports.Upstream` asks for.

    Operations and outcomes are constants of the provider, so that the number of series is bounded.
    """

    def __init__(self, registry: CollectorRegistry, tracing: Tracing | None = None) -> None:
        """Make the instruments in `registry`; spans are recorded by `tracing`, if at all."""

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"auth_service_upstream_{name}", text, labels, registry=registry)

        self._tracing = tracing or Tracing(())
        self._calls = counter("calls", "Attempts to call the identity provider.", "operation", "outcome")
        name, text = "auth_service_upstream_duration_seconds", "Seconds that an attempt took."
        self._durations = Histogram(name, text, ("operation",), buckets=_BUCKETS, registry=registry)
        self._retries = counter("retries", "Attempts that repeat another.", "operation")
        self._coalesced = counter("coalesced", "Reads that shared an identical one's answer in flight.", "operation")
        self._refreshes = counter("refreshes", "Refreshes of key set and own token.", "what", "outcome")
        self._odd_fields = counter("odd_fields", "Fields of users that did not hold what they should.", "field")

    @contextmanager
    def attempt(self, operation: str) -> Iterator[Attempt]:
        """Count, time and trace one attempt of `operation`; what is done in the context belongs to its span."""
        attempt = Attempt()
        span, above = self._tracing.calling(operation), current_trace()
        if span is not None:
            set_trace(span)
        began = perf_counter()
        try:
            yield attempt
        except BaseException as error:  # whatever it was, it goes on as it came
            attempt.outcome = attempt.outcome or _outcome(error)
            raise
        finally:
            attempt.outcome = attempt.outcome or "ok"
            self._calls.labels(operation, attempt.outcome).inc()
            self._durations.labels(operation).observe(perf_counter() - began)
            if span is not None:
                set_trace(above)
                self._tracing.called(span, attempt.outcome)

    def headers(self) -> Mapping[str, str]:
        """Return the HTTP headers by which an upstream can continue the trace."""
        return self._tracing.headers(outward=True)

    def retried(self, operation: str) -> None:
        """Count an attempt that repeats another."""
        self._retries.labels(operation).inc()

    def coalesced(self, operation: str) -> None:
        """Count a read that shares the answer of another one in flight."""
        self._coalesced.labels(operation).inc()

    def refreshed(self, what: str, outcome: str) -> None:
        """Count a refresh of keys or of a token, and how it ended."""
        self._refreshes.labels(what, outcome).inc()

    def odd(self, field: str) -> None:
        """Count a field of a user that does not hold what it should."""
        self._odd_fields.labels(field).inc()


def _outcome(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if isinstance(error, TimeoutError):  # before OSError, of which it is one
        return "timed_out"
    if isinstance(error, OSError):
        return "not_connected"
    return "refused" if isinstance(error, ServiceError) and error.fault is Fault.CALLER else "failed"
