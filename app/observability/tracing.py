# SPDX-License-Identifier: MIT
"""Traces: where a request stands in its caller's trace, and what carries that on.

Nothing here needs OpenTelemetry's SDK. Without an exporter, traces of callers are carried on (log records, upstream
calls, events), and requests without one have none. What records spans is `otlp`, imported where it is asked for.
"""

from __future__ import annotations

from contextvars import ContextVar
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from app.domain.errors import ServiceError

PROPAGATORS: Final = ("tracecontext", "baggage", "jaeger")
DEFAULT_PROPAGATORS: Final = ("tracecontext", "baggage")

_HEADERS: Final = {
    "tracecontext": ("traceparent", "tracestate"),
    "baggage": ("baggage",),
    "jaeger": ("uber-trace-id", "uberctx-"),
}

_MOST_CARRIED: Final = 16_384
"""Characters of a caller's trace context: more is none, since it is kept while the request waits (W3C: 8,192 for the
baggage, 512 for the state)."""


class Trace:
    """A span as far as others need to know of it: the request's own, or that of an upstream call in it.

    `source` says, of a read, where its answer came from; empty otherwise.
    `started` is the time in nanoseconds since 1970, where the span is recorded. `parent` is the span above it;
    `carried` is what came with the caller's trace (state, baggage) and is carried on.
    """

    __slots__ = ("carried", "parent", "sampled", "source", "span_id", "started", "trace_id")

    def __init__(  # noqa: PLR0913, PLR0917 - made for every request: by position, because that is cheaper
        self,
        trace_id: int,
        span_id: int,
        sampled: bool,  # noqa: FBT001 - as above
        started: int = 0,
        parent: SpanContext | None = None,
        carried: Context | None = None,
    ) -> None:
        """Take what is known."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.sampled = sampled
        self.started = started
        self.parent = parent
        self.carried = carried
        self.source = ""

    @property
    def ids(self) -> dict[str, str]:
        """The two ids as log records show them: lower-case hexadecimal, 32 and 16 digits."""
        return {"trace_id": f"{self.trace_id:032x}", "span_id": f"{self.span_id:016x}"}


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
set_trace = _current.set
"""Let the work at hand belong to a trace."""

current_trace = _current.get
"""Return the trace to which the work at hand belongs, or None."""


class Tracing:
    """Continues the traces of callers and records nothing."""

    records = False
    """Whether requests of callers that have no trace get one."""

    def __init__(self, propagators: tuple[str, ...] = DEFAULT_PROPAGATORS) -> None:
        """Take how trace contexts are written, of `PROPAGATORS`."""
        self._prefixes = tuple(header for name in propagators for header in _HEADERS[name])
        self._propagator = _propagator(propagators) if propagators else None

    def begin(self, headers: Mapping[str, str] | None) -> Trace | None:
        """Return the trace of a request that came with these headers; None when it has none. Raises nothing."""
        carried = self._extract(headers)
        parent = None if carried is None else _span_context(carried)
        if parent is None:
            return None
        return Trace(parent.trace_id, parent.span_id, sampled=False, parent=parent, carried=carried)

    def answered(self, trace: Trace, name: str, error: ServiceError | None) -> None:
        """Record the span of a request that is answered; `name` is its subject. Called for sampled ones only."""

    def calling(self) -> Trace | None:
        """Return the span of a call of an upstream that begins now; None when it is not recorded."""
        return None

    def called(self, trace: Trace, operation: str, outcome: str) -> None:
        """Record the span that `calling` returned; `outcome` is `ok`, or says how the call failed."""

    def headers(self, *, outward: bool = False) -> dict[str, str]:
        """Return the headers that carry the current trace on; `outward`: to an upstream, which gets no baggage.

        Baggage is what callers tell each other, whatever it may be, and nothing for third parties.
        """
        trace = current_trace()
        if self._propagator is None or trace is None:
            return {}
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, _with_span(_own(trace), None if outward else trace.carried))
        return carrier

    def _extract(self, headers: Mapping[str, str] | None) -> Context | None:
        """Return what callers said of their trace; the names of headers are taken in any case of letters."""
        if not headers or self._propagator is None:
            return None
        carrier = {key: value for name, value in headers.items() if (key := name.lower()).startswith(self._prefixes)}
        if not carrier or sum(map(len, carrier.values())) > _MOST_CARRIED:
            return None
        try:
            found: Context = self._propagator.extract(carrier, _empty())
        except Exception:  # noqa: BLE001 - whatever a caller wrote there, it is no reason to leave the request unanswered
            return None
        return found


def _own(trace: Trace) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - is loaded by now

    if trace.parent is not None and trace.parent.span_id == trace.span_id:
        return trace.parent  # nothing is recorded here: the caller's own span goes on
    state = None if trace.parent is None else trace.parent.trace_state
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(trace.trace_id, trace.span_id, is_remote=False, trace_flags=flags, trace_state=state)


def _with_span(span: SpanContext, carried: Context | None) -> Context:
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415 - as above

    return set_span_in_context(NonRecordingSpan(span), _empty() if carried is None else carried)


def new_span_id() -> int:
    """Return a random span id; not zero, which stands for none."""
    return getrandbits(64) or 1


def new_trace_id() -> int:
    """Return a random trace id; not zero, which stands for none."""
    return getrandbits(128) or 1


def _empty() -> Context:
    from opentelemetry.context import Context  # noqa: PLC0415 - as above

    return Context()


def _span_context(context: Context) -> SpanContext | None:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - as above

    found = get_current_span(context).get_span_context()
    return found if found.is_valid else None


def _propagator(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - of a package that is not imported up there
    from opentelemetry.baggage.propagation import W3CBaggagePropagator  # noqa: PLC0415 - not before it is asked for
    from opentelemetry.propagators.composite import CompositePropagator  # noqa: PLC0415 - as above
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    made: dict[str, Any] = {"tracecontext": TraceContextTextMapPropagator, "baggage": W3CBaggagePropagator}
    if "jaeger" in names:
        from opentelemetry.propagators.jaeger import JaegerPropagator  # noqa: PLC0415 - as above

        made["jaeger"] = JaegerPropagator
    return CompositePropagator([made[name]() for name in names])
