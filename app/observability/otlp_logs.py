# SPDX-License-Identifier: MIT
"""Log records by OTLP: what the sink writes, after it is redacted, and nothing else."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warn": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}
_OF_THE_RECORD: Final = frozenset(("time", "level", "message", "trace_id", "span_id"))


class LogForwarder:
    """Hands the fields of a record on to the SDK."""

    def __init__(self, who: Resource, exporter: LogRecordExporter) -> None:
        """Take who this is, and what sends the records."""
        provider = LoggerProvider(who, shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._logger = provider.get_logger("lfx-v2-auth-service")
        self.shutdown = provider.shutdown

    def __call__(self, fields: dict[str, Any]) -> None:
        """Take one record, as it is written."""
        if str(fields.get("logger", "")).startswith("opentelemetry"):
            return  # about a failure to send: sent as well, it would bring forth the next one
        record = LogRecord(
            timestamp=time_ns(),
            context=_context(fields),
            severity_text=fields["level"],
            severity_number=_SEVERITIES[fields["level"]],
            body=fields["message"],
            attributes={
                name: value for name, value in fields.items() if name not in _OF_THE_RECORD and value is not None
            },
        )
        self._logger.emit(record)


def _context(fields: dict[str, Any]) -> Context:
    if "trace_id" not in fields:
        return Context()
    span = SpanContext(int(fields["trace_id"], 16), int(fields["span_id"], 16), is_remote=False)
    return set_span_in_context(NonRecordingSpan(span), Context())
