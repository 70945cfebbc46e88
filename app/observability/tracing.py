# SPDX-License-Identifier: MIT
"""Traces: the place of a request in its caller's trace, what is recorded of it, and the context that goes on.

Only OpenTelemetry's API is needed here. With the tracer of its SDK, which `otlp` makes, spans are recorded. Without
one, traces of callers are carried on (log records, upstream calls, events), and requests without one have none.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from random import getrandbits
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from opentelemetry.baggage import get_all
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.domain.errors import WIRES, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span, Tracer

    from app.domain.errors import ServiceError

_FORMATS: Final = {
    "tracecontext": (TraceContextTextMapPropagator, ("traceparent", "tracestate")),
    "baggage": (W3CBaggagePropagator, ("baggage",)),
    "jaeger": (JaegerPropagator, ("uber-trace-id", "uberctx-")),
}
PROPAGATORS: Final = tuple(_FORMATS)
DEFAULT_PROPAGATORS: Final = ("tracecontext", "baggage")

_MOST_CARRIED: Final = 16_384
"""Characters of a caller's trace context, names and values: more is none, since it is kept while the request waits
(W3C: 8,192 for the baggage, 512 for the state)."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
"""The name of a header (RFC 9110, section 5.6.2)."""

_HELD_BY_PAIR: Final = 64
"""Bytes that a name and its value take in tables."""

_FAILED: Final = frozenset((Fault.UPSTREAM, Fault.OWN))
_LOW_HALF: Final = (1 << 64) - 1
_NOTHING: Final = Context()


class Trace:
    """The request's place in a trace, or that of an upstream call in it.

    `span` is there where a tracer or a caller made one; `carried` is what came with the caller's trace, as baggage.
    """

    __slots__ = ("carried", "sampled", "span", "span_id", "trace_id")

    def __init__(self, trace_id: int, span_id: int, span: Span | None = None, carried: Context = _NOTHING) -> None:
        """Take what is known."""
        self.trace_id = trace_id
        self.span_id = span_id
        self.span = span
        self.carried = carried
        self.sampled = span is not None and span.is_recording()

    @property
    def ids(self) -> dict[str, str]:
        """The two ids as log records show them: lower-case hexadecimal, 32 and 16 digits."""
        return {"trace_id": f"{self.trace_id:032x}", "span_id": f"{self.span_id:016x}"}

    def context(self, carried: Context) -> Context:
        """Return the context of what happens below this span: `carried`, and the span."""
        span = self.span or NonRecordingSpan(SpanContext(self.trace_id, self.span_id, is_remote=False))
        return set_span_in_context(span, carried)

    @property
    def size(self) -> int:
        """Bytes that it holds of what its caller wrote, roughly; a text may take four for each of its characters."""
        if self.carried is _NOTHING:  # as of most requests
            return 0
        state = {} if self.span is None else self.span.get_span_context().trace_state
        pairs = [*get_all(self.carried).items(), *state.items()]
        return sum(getsizeof(name) + getsizeof(value) + _HELD_BY_PAIR for name, value in pairs)

    def tell(self, name: str, value: str) -> None:
        """Let the span say something, where it is recorded."""
        if self.span is not None:
            self.span.set_attribute(name, value)


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
set_trace = _current.set
"""Let the work at hand belong to a trace."""

current_trace = _current.get
"""Return the trace to which the work at hand belongs, or None."""


class Tracing:
    """Continues the traces of callers, and records requests and upstream calls where there is a tracer."""

    def __init__(
        self, propagators: tuple[str, ...] = DEFAULT_PROPAGATORS, tracer: Tracer | None = None, bound: int = 0
    ) -> None:
        """Take how trace contexts are written, of `PROPAGATORS`, and what records.

        `bound` is the ratio sampler's. A new trace is recorded if the low half of its id is below it. To ask the
        tracer costs ten times as much, so it is asked only for those.
        """
        self.records = tracer is not None
        self._tracer = tracer
        self._bound = bound
        self._prefixes = tuple(header for name in propagators for header in _FORMATS[name][1])
        self._propagator = CompositePropagator([_FORMATS[name][0]() for name in propagators])

    def begin(self, headers: Mapping[str, str] | None, name: str = "") -> Trace | None:
        """Return the trace of a request that came with these headers; `name` is its subject. Raises nothing.

        None when it has none and none begins.
        """
        carried = self._extract(headers) if headers else _NOTHING
        if self._tracer is not None:
            if carried is _NOTHING and (new := getrandbits(128) or 1) & _LOW_HALF >= self._bound:
                return Trace(new, getrandbits(64) or 1)
            return _trace(self._tracer.start_span(name, carried, SpanKind.SERVER), carried)
        return None if carried is _NOTHING else _trace(get_current_span(carried), carried)

    def answered(self, trace: Trace, error: ServiceError | None) -> None:
        """End the span of a request that is answered."""
        if error is None:
            _end(trace)
            return
        # What an upstream said is in no attribute: it may name somebody.
        described = error.wire if error.wire in WIRES else str(error.fault)
        trace.tell("error.type", described)
        _end(trace, str(error.fault), described if error.fault in _FAILED else "")

    def calling(self, operation: str) -> Trace | None:
        """Begin the span of an upstream call, below the current one; None outside of a request that is recorded."""
        above = current_trace()
        if self._tracer is None or above is None or not above.sampled:
            return None
        return _trace(self._tracer.start_span(operation, above.context(_NOTHING), SpanKind.CLIENT), above.carried)

    def called(self, trace: Trace, outcome: str) -> None:
        """End the span that `calling` began; `outcome` is `ok`, or says how the call failed."""
        _end(trace, outcome, "" if outcome in {"ok", "refused"} else outcome)

    def headers(self, *, outward: bool = False) -> dict[str, str]:
        """Return the headers that carry the current trace on; `outward`: to an upstream, which gets no baggage.

        Callers may put anything into baggage, so it is not sent to third parties. Names that cannot be those of headers
        are left out.
        """
        carrier: dict[str, str] = {}
        if (trace := current_trace()) is not None:
            self._propagator.inject(carrier, trace.context(_NOTHING if outward else trace.carried))
        return {name: value for name, value in carrier.items() if _TOKEN.fullmatch(name)}

    def _extract(self, headers: Mapping[str, str]) -> Context:
        """Return what a caller said of its trace, if it has one. Names of headers are taken in any case of letters.

        Beyond ASCII none of these headers has anything; what has is left out, for the sake of the others.
        """
        found = {name.lower(): value for name, value in headers.items() if value.isascii()}
        carrier = {name: value for name, value in found.items() if name.startswith(self._prefixes)}
        if not carrier or sum(map(len, (*carrier, *carrier.values()))) > _MOST_CARRIED:
            return _NOTHING
        try:
            context = self._propagator.extract(carrier, _NOTHING)
        except Exception:  # noqa: BLE001 - whatever a caller wrote there, it is no reason to leave the request unanswered
            return _NOTHING
        return context if get_current_span(context).get_span_context().is_valid else _NOTHING


def _trace(span: Span, carried: Context) -> Trace:
    own = span.get_span_context()
    return Trace(own.trace_id, own.span_id, span, carried)


def _end(trace: Trace, outcome: str = "", failure: str = "") -> None:
    if trace.span is not None:
        if outcome:
            trace.span.set_attribute("auth_service.outcome", outcome)
        if failure:
            trace.span.set_status(StatusCode.ERROR, failure)
        trace.span.end()
