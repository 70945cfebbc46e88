# SPDX-License-Identifier: MIT
"""Logs: one sink, which redacts everything it writes, as JSON for machines or as lines for people."""

from __future__ import annotations

import functools
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from app.domain.disclosures import ALWAYS, Disclosure
from app.domain.errors import WIRES
from app.domain.redaction import LOOKED_AT, redact
from app.observability.output import Output
from app.observability.tracing import current_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TextIO

    from loguru import Message, Record, RecordException

    from app.domain.disclosures import ImpersonationAttempt
    from app.observability.tracing import Trace
    from app.settings import LogSettings

_LEVELS: Final = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}
_NAMES: Final = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}
_MAX_PIECE: Final = 4 * 1024
"""Characters that are shown of an exception's message, and of a frame."""

_MAX_FRAMES: Final = 32
"""Frames that are shown of an exception's stack, those next to where it was raised."""

_MAX_CHAIN: Final = 4
"""Exceptions that are shown of those that led to each other, the last ones."""

HEADER_LOGGERS: Final = ("opentelemetry.baggage", "opentelemetry.trace")
"""What warns of every odd member in the trace context of a caller, who may send hundreds with each message."""

_RAISED: Final = "raised"
_COLOURS: Final = {"debug": "\033[2m", "info": "\033[36m", "warn": "\033[33m", "error": "\033[31m"}
_RESET: Final = "\033[0m"


class AuditLog:
    """Writes audit records of impersonation."""

    def impersonation(self, attempt: ImpersonationAttempt) -> None:
        """Record an attempt, whatever the log's level."""
        logger.bind(disclosed=attempt).log(ALWAYS, "impersonation attempt")


class Sink:
    """Writes records; the only place from which anything gets into the log."""

    def __init__(self, stream: TextIO, settings: LogSettings, secrets: Iterable[str] = ()) -> None:
        """Take where to write, in which form, and the secrets of the configuration, which are masked everywhere."""
        self.output = Output(stream, self._lost)
        self._json = settings.format == "json"
        escapes = not self.output.encoding.lower().startswith("utf")  # of JSON; those of Python are others
        self._to_json = json.JSONEncoder(ensure_ascii=escapes, default=str).encode
        self._source = settings.add_source
        self._levels = list(_LEVELS)[list(_LEVELS).index(settings.level) :]
        self._secrets = tuple(secrets)
        self.forward: Callable[[dict[str, Any]], None] | None = None
        """Who gets the fields of every record besides, redacted."""
        self._colour = not self._json and stream.isatty()
        # Messages and names of subjects come again with every record.
        self._known = functools.lru_cache(maxsize=256)(lambda text: redact(text, self._secrets))

    def __call__(self, message: Message) -> None:
        """Write one record. Raises nothing: loguru would print the record without redaction."""
        try:
            self._write(self.fields(message.record))
        except Exception as error:  # noqa: BLE001 - a value that cannot be shown, or not forwarded
            self._put({"time": "", "level": "error", "message": f"unwritable record: {type(error).__name__}"})

    def tell(self, level: str, message: str, /, **fields: object) -> None:
        """Write a record from a thread that must not wait: the blocked event loop may hold the lock of loguru.

        Raises nothing. Fields and message are redacted as those of any record.
        """
        if level in self._levels:
            self._write(_shown(datetime.now(UTC), level, message, fields, self._redact))

    def _write(self, fields: dict[str, Any]) -> None:
        if self.forward is not None:
            self.forward(fields)
        self._put(fields)

    def _put(self, fields: dict[str, Any]) -> None:
        self.output.write(self._line(fields))

    def _line(self, fields: dict[str, Any]) -> str:
        return self._to_json(fields) if self._json else self._for_people(fields)

    def _lost(self, count: int) -> str:
        return self._line(_shown(datetime.now(UTC), "warn", "log records were lost", {"lost": count}, str))

    def fields(self, record: Record) -> dict[str, Any]:
        """Return what of `record` is written, redacted."""
        extra = dict(record["extra"])
        disclosed = extra.pop("disclosed", None)
        foreign = extra.pop("foreign_source", None)
        sent: list[str] = extra.pop("secrets", [])
        exception: RecordException | None = extra.pop(_RAISED, record["exception"])
        # A record that says of which trace it is knows better than where it was written.
        trace: Trace | None = extra.pop("trace") if "trace" in extra else current_trace()
        secrets = [*self._secrets, *sent]
        masked = functools.partial(redact, secrets=secrets) if sent else self._redact
        level = _NAMES.get(record["level"].name, "info")
        fields = _shown(record["time"], level, record["message"], extra, masked)
        if trace is not None:
            fields.update(trace.ids)
        if isinstance(disclosed, Disclosure):
            fields.update(disclosed.in_clear())
        if self._source:
            fields["source"] = foreign or f"{record['file'].path}:{record['line']}"
        if exception is not None and exception.value is not None:
            fields["exception"] = "".join(_stack(exception.value, secrets))
        return fields

    def _redact(self, text: str) -> str:
        return self._known(text[:LOOKED_AT])

    def _for_people(self, fields: dict[str, Any]) -> str:
        rest = dict(fields)
        time, level, message = str(rest.pop("time"))[11:23], f"{rest.pop('level'):<5}", rest.pop("message")
        exception = rest.pop("exception", "")
        mark = f"{_COLOURS[fields['level']]}{level}{_RESET}" if self._colour else level
        details = "".join(f" {key}={value}" for key, value in rest.items())
        return f"{time} {mark} {message}" + details.replace(" ", "  ", 1) + f"\n{exception}".rstrip()


def _shown(
    time: datetime, level: str, message: str, extra: dict[str, object], masked: Callable[[str], str]
) -> dict[str, Any]:
    """Return the fields that every record has, and its own: redacted, but for numbers and the contract's errors."""
    fields = {key: v if _harmless(v) else masked(str(v)) for key, v in extra.items()}
    return {
        "time": time.astimezone().isoformat(timespec="microseconds"),
        "level": level,
        "message": masked(message),
        **fields,
    }


def _harmless(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and value in WIRES)


def _stack(error: BaseException, secrets: list[str]) -> Iterator[str]:
    """Yield what is shown of an exception and of what led to it, redacted.

    Like `traceback.format_exception`, which takes a message apart line by line however long it is.
    """
    chain: list[tuple[BaseException, str]] = [(error, "")]
    while len(chain) < _MAX_CHAIN and (before := _led_to(chain[-1][0])) is not None:
        chain.append(before)
    for raised, link in reversed(chain):
        if raised.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
        for frame in traceback.format_tb(raised.__traceback__, limit=-_MAX_FRAMES):
            yield redact(frame, secrets, _MAX_PIECE)
        message = redact("".join(traceback.format_exception_only(raised)), secrets, _MAX_PIECE)
        yield f"{message.rstrip()}\n{link}"


def _led_to(error: BaseException) -> tuple[BaseException, str] | None:
    if error.__cause__ is not None:
        return error.__cause__, "\nThe above exception was the direct cause of the following exception:\n\n"
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, "\nDuring handling of the above exception, another exception occurred:\n\n"
    return None


def _take_exception(record: Record) -> None:
    """Leave the exception to the sink: loguru would work out another text of it, however long, for nobody."""
    if record["exception"] is not None:
        record["extra"][_RAISED] = record["exception"]
        record["exception"] = None


class _FromStandardLibrary(logging.Handler):
    """Hands records of the standard library's logging (nats, asyncio) on to the sink."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        if record.name.startswith("opentelemetry"):
            # It may come of a record that is just being handed to the SDK: loguru takes none in between.
            error = record.exc_info[1] if record.exc_info else None
            more = {} if error is None else {"error": f"{type(error).__name__}: {error}"}
            self._sink.tell(_NAMES.get(record.levelname, "info"), record.getMessage(), logger=record.name, **more)
            return
        level = record.levelname if record.levelname in _NAMES else record.levelno
        source = f"{record.pathname}:{record.lineno}"
        bound = logger.bind(logger=record.name, foreign_source=source)
        bound.opt(exception=record.exc_info).log(level, record.getMessage())


def set_up_logs(settings: LogSettings, secrets: Iterable[str] = (), stream: TextIO | None = None) -> Sink:
    """Make the sink, by default on standard output, and send all log records to it."""
    sink = Sink(stream or sys.stdout, settings, secrets)
    level = _LEVELS[settings.level]
    logger.remove()
    logger.configure(patcher=_take_exception)
    logger.add(sink, level=level, format="{message}", diagnose=False, backtrace=False, catch=True)
    # What libraries say below a warning holds what they send and receive; no pattern finds a username in a URL.
    logging.basicConfig(
        handlers=[_FromStandardLibrary(sink)], level=max(logging.WARNING, getattr(logging, level)), force=True
    )
    for name in HEADER_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    return sink
