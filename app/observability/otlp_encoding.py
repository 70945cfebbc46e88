# SPDX-License-Identifier: MIT
"""Spans as OTLP's protobuf messages, for a fifth of what the SDK's own encoder takes.

Spans of one kind differ in their ids and times only. What is the same in them is encoded by the SDK, once. Ids and
times are put before it as bytes, in protobuf's wire format (opentelemetry/proto/trace/v1/trace.proto).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.common import trace_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.sdk.trace import ReadableSpan

_sdk: Final = trace_encoder.encode_spans
_VARIABLE: Final = ("trace_id", "span_id", "parent_span_id", "start_time_unix_nano", "end_time_unix_nano", "flags")
_IDS: Final = Struct(">2sQQ2sQ").pack
"""trace_id = 1 (16 bytes), span_id = 2 (8 bytes)."""

_PARENT: Final = Struct(">2sQ").pack
"""parent_span_id = 4 (8 bytes)."""

_TIMES: Final = Struct("<cQcQ2sI").pack
"""start_time_unix_nano = 7, end_time_unix_nano = 8 (fixed64), flags = 16 (fixed32)."""

_SPANS: Final = b"\x12"
"""spans = 2, of ScopeSpans."""

_HALF: Final = (1 << 64) - 1
_SEVEN_BITS: Final = 0x7F
_MAX_KINDS: Final = 1024
_kinds: Final[dict[tuple[object, ...], bytes]] = {}
"""What is the same in spans of a kind, by all that it depends on: no state but a cache, whose loss changes nothing."""

_KNOWS_WHETHER_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x200


def encode_spans(spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """Return the request that exports `spans`, of one resource and one scope: what the SDK's function returns."""
    request = _sdk(spans[:1])
    scope = request.resource_spans[0].scope_spans[0]
    del scope.spans[:]
    # Parsed and not put together in Python: that is done in C.
    scope.MergeFromString(b"".join([_field(_span(span)) for span in spans]))
    return request


def _span(span: ReadableSpan) -> bytes:
    # Its private names, because the public ones make copies of what is read here.
    context: Any = span._context  # noqa: SLF001
    parent: Any = span._parent  # noqa: SLF001
    attributes: Any = span._attributes  # noqa: SLF001
    status = span._status  # noqa: SLF001
    trace_id, flags = context.trace_id, _KNOWS_WHETHER_REMOTE
    ids = _IDS(b"\x0a\x10", trace_id >> 64, trace_id & _HALF, b"\x12\x08", context.span_id)
    if parent is not None:
        ids += _PARENT(b"\x22\x08", parent.span_id)
        flags |= _IS_REMOTE if parent.is_remote else 0
    times = _TIMES(b"\x39", span._start_time, b"\x41", span._end_time, b"\x85\x01", flags)  # noqa: SLF001
    if context.trace_state:
        return ids + times + _same(span)
    kind = (span._name, span._kind, status.status_code, status.description, *attributes.items())  # noqa: SLF001
    same = _kinds.get(kind)
    if same is None:
        if len(_kinds) >= _MAX_KINDS:
            _kinds.clear()
        same = _kinds[kind] = _same(span)
    return ids + times + same


def _same(span: ReadableSpan) -> bytes:
    """Return what is the same in all spans of a kind: name, kind, attributes, status, and a vendor's state."""
    message = _sdk([span]).resource_spans[0].scope_spans[0].spans[0]
    for name in _VARIABLE:
        message.ClearField(name)
    same: bytes = message.SerializeToString()
    return same


def _field(message: bytes) -> bytes:
    """Return a message as a field of another: tag, length (varint), content."""
    length = len(message)
    if length <= _SEVEN_BITS:
        return _SPANS + length.to_bytes(1) + message
    size = bytearray()
    while length > _SEVEN_BITS:
        size.append(length & _SEVEN_BITS | 0x80)
        length >>= 7
    size.append(length)
    return _SPANS + bytes(size) + message
