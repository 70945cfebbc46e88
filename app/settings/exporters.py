# SPDX-License-Identifier: MIT
"""OpenTelemetry's variables that only its SDK reads: looked at here, because it crashes or goes on without.

Names and defaults: OpenTelemetry, "Environment Variable Specification" and "OpenTelemetry Protocol Exporter".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from app.settings.checks import check_file, check_text, is_web_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LONGEST: Final = 20
"""Characters of a number that are looked at."""

_MOST: Final = 2**31 - 1
"""Of what is counted, and of milliseconds."""

_DAY: Final = 86_400
_QUEUE: Final = 2_048
_BATCH: Final = 512


def exporter_faults(protocols: Mapping[str, str]) -> Iterator[str]:
    """Tell which variables the exporters could not use: of each signal (`traces`, `metrics`, `logs`) its protocol."""
    if protocols:
        for name in (name for name in os.environ if name.startswith("OTEL_")):
            yield from _checked(name, str)
    for signal, protocol in protocols.items():
        checks = {**_EXPORTER, **(_GRPC if protocol == "grpc" else _HTTP)}
        for prefix in ("OTEL_EXPORTER_OTLP_", f"OTEL_EXPORTER_OTLP_{signal.upper()}_"):
            for name, check in checks.items():
                yield from _checked(prefix + name, check)
    for signal in protocols:
        for name in _LIMITS.get(signal, ()):
            yield from _checked(f"OTEL_{name}_LIMIT", _limit)
    for kind, signal in (("BSP", "traces"), ("BLRP", "logs")):
        if signal in protocols:
            yield from _batches(f"OTEL_{kind}_")


def tidy_environment(protocols: Mapping[str, str], *, insecure: bool) -> None:
    """Rewrite what the SDK would misread.

    That is blanks around a value, variables set to nothing, the compression `none`, an endpoint without scheme.
    Certificates are those of `SSL_CERT_FILE`, which the exporters do not look at, unless they have a file of their own.
    """
    for name, value in [(name, value.strip()) for name, value in os.environ.items() if name.startswith("OTEL_")]:
        if not value or (name.endswith("_COMPRESSION") and value.lower() == "none"):
            del os.environ[name]
        else:
            os.environ[name] = value
    if trusted := os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("OTEL_EXPORTER_OTLP_CERTIFICATE", trusted)
    scheme = "http" if insecure else "https"
    for signal, protocol in protocols.items():
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
            endpoint = os.environ.get(name, "")
            if protocol == "http/protobuf" and endpoint and "://" not in endpoint:
                os.environ[name] = f"{scheme}://{endpoint}"


def _batches(prefix: str) -> Iterator[str]:
    names = {name: f"{prefix}{name}" for name in ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE")}
    wrong = [
        fault
        for name in (f"{prefix}SCHEDULE_DELAY", f"{prefix}EXPORT_TIMEOUT", *names.values())
        for fault in _checked(name, _count)
    ]
    yield from wrong
    queue, batch = (os.environ.get(name, "").strip() for name in names.values())
    if not wrong and int(batch or _BATCH) > int(queue or _QUEUE):
        yield f"{', '.join(names.values())}: a batch cannot hold more than the queue"


def _checked(name: str, check: Callable[[str], object]) -> Iterator[str]:
    value = os.environ.get(name, "").strip()
    if value:
        try:
            check(check_text(value))
        except ValueError as error:
            yield f"{name}: {error}"


def _count(value: str) -> None:
    if not (_is_number(value) and int(value)):
        raise ValueError(f"must be a number above 0, {_MOST} at most")


def _limit(value: str) -> None:
    # The SDK takes `unset` too, for no limit.
    if value.lower() != "unset" and not _is_number(value):
        raise ValueError(f"must be a number, 0 or more, {_MOST} at most")


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= _LONGEST and int(value) <= _MOST


def _seconds(value: str) -> None:
    try:
        seconds = float(value[: _LONGEST + 1])
    except ValueError:
        seconds = 0.0
    if not (len(value) <= _LONGEST and 0 < seconds <= _DAY):
        raise ValueError(f"must be a number of seconds above 0, {_DAY} at most")


def _endpoint(value: str) -> None:
    if not is_web_address(value if "://" in value else f"http://{value}"):
        raise ValueError("must be an address such as http://host:4318")


def _grpc_endpoint(value: str) -> None:
    # What is no such address is a name of gRPC's own: `host:4317`, `dns:///host:4317`, `unix:/path`.
    try:
        is_web = urlsplit(value).scheme in {"http", "https"}
        usable = is_web_address(value) if is_web else value.isprintable() and " " not in value
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be an address such as http://host:4317")


def _compression(value: str) -> None:
    if value.lower() not in {"none", "gzip", "deflate"}:
        raise ValueError("must be none, gzip or deflate")


def _grpc_compression(value: str) -> None:
    if value.lower() not in {"none", "gzip"}:
        raise ValueError("must be none or gzip")


def _file(value: str) -> None:
    check_file(Path(value))


_OF_ALL: Final = ("ATTRIBUTE_COUNT", "ATTRIBUTE_VALUE_LENGTH")
_LIMITS: Final = {
    "traces": (
        *_OF_ALL,
        "SPAN_ATTRIBUTE_COUNT",
        "SPAN_ATTRIBUTE_VALUE_LENGTH",
        "SPAN_EVENT_COUNT",
        "SPAN_LINK_COUNT",
        "EVENT_ATTRIBUTE_COUNT",
        "LINK_ATTRIBUTE_COUNT",
    ),
    "logs": (*_OF_ALL, "LOGRECORD_ATTRIBUTE_COUNT", "LOGRECORD_ATTRIBUTE_VALUE_LENGTH"),
}

_EXPORTER: Final[dict[str, Callable[[str], object]]] = {
    "TIMEOUT": _seconds,
    "CERTIFICATE": _file,
    "CLIENT_CERTIFICATE": _file,
    "CLIENT_KEY": _file,
}
_HTTP: Final[dict[str, Callable[[str], object]]] = {"ENDPOINT": _endpoint, "COMPRESSION": _compression}
_GRPC: Final[dict[str, Callable[[str], object]]] = {"ENDPOINT": _grpc_endpoint, "COMPRESSION": _grpc_compression}
