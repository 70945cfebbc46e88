# SPDX-License-Identifier: MIT
"""Metrics of reads: the source and the age of answers; implements `app.domain.reads.ReadNotes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from app.domain.reads import Source
from app.observability.tracing import current_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

_AGES: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 21_600.0, 86_400.0)


class ReadTelemetry:
    """Counts answers to reads by their source."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Make the instruments in `registry`."""
        self._registry = registry
        answers = Counter("auth_service_reads", "Answers to reads, by source.", ("source",), registry=registry)
        self._answers = {source: answers.labels(source) for source in Source}
        text = "Age of answers that were given in place of an error."
        self._ages = Histogram("auth_service_stale_age_seconds", text, buckets=_AGES, registry=registry)
        text = "Messages that tell to forget answers."
        self._forgets = Counter("auth_service_forgets_received", text, registry=registry)

    def answered(self, source: Source, age: float = 0.0) -> None:
        """Count the answer to the read at hand, and let its span say the source; `age` in seconds, of a stale one."""
        self._answers[source].inc()
        if source is Source.STALE:
            self._ages.observe(age)
        if (trace := current_trace()) is not None:
            trace.tell("auth_service.source", source)

    def forget_received(self) -> None:
        """Count a message that tells to forget."""
        self._forgets.inc()

    def watch(self, entries: Callable[[], int], size: Callable[[], int]) -> None:
        """Show how many answers are remembered, and how many bytes they take."""
        shown = Gauge("auth_service_remembered_entries", "Answers that are remembered.", registry=self._registry)
        shown.set_function(entries)
        shown = Gauge("auth_service_remembered_bytes", "Bytes that they take.", registry=self._registry)
        shown.set_function(size)
