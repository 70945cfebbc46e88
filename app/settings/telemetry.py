# SPDX-License-Identifier: MIT
"""OpenTelemetry's variables, as far as the service itself needs to know them; the SDK reads all the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from app.settings.exporters import exporter_faults
from app.settings.types import Section, Words, lower_case

_PROPAGATORS: Final = ("tracecontext", "baggage", "jaeger")


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if names == ("none",):
        return ()
    if not set(names) <= set(_PROPAGATORS):
        raise ValueError("must be some of tracecontext, baggage and jaeger, or none")
    return names


def _protocol(value: object) -> object:
    value = lower_case(value)
    return "http/protobuf" if value == "http" else value


Exporter = Annotated[Literal["otlp", "none"], BeforeValidator(lower_case)]
Protocol = Annotated[Literal["grpc", "http/protobuf"], BeforeValidator(_protocol)]
Sampler = Annotated[
    Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ],
    BeforeValidator(lower_case),
]


class TelemetrySettings(Section):
    """Telemetry: OpenTelemetry's own variables."""

    disabled: bool = Field(
        default=False, validation_alias="OTEL_SDK_DISABLED", description="Whether all exporters are off."
    )
    traces_exporter: Exporter = Field("none", validation_alias="OTEL_TRACES_EXPORTER", description="`otlp` or `none`.")
    metrics_exporter: Exporter = Field(
        "none",
        validation_alias="OTEL_METRICS_EXPORTER",
        description="`otlp` or `none`. `/metrics` works in any case.",
    )
    logs_exporter: Exporter = Field(
        "none",
        validation_alias="OTEL_LOGS_EXPORTER",
        description="`otlp` or `none`. Records go to standard output in any case.",
    )
    protocol: Protocol = Field(
        "grpc",
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="`grpc` or `http/protobuf`; `http` means the latter.",
    )
    traces_protocol: Protocol | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", description="The same, for traces alone."
    )
    metrics_protocol: Protocol | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", description="The same, for metrics alone."
    )
    logs_protocol: Protocol | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", description="The same, for log records alone."
    )
    endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Address of the collector. Default: `http://localhost:4317` (gRPC) or `http://localhost:4318`.",
    )
    headers: SecretStr | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="Headers for the collector: `name=value`, comma-separated, percent-encoded.",
    )
    traces_headers: SecretStr | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_HEADERS", description="The same, for traces alone."
    )
    metrics_headers: SecretStr | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_METRICS_HEADERS", description="The same, for metrics alone."
    )
    logs_headers: SecretStr | None = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_LOGS_HEADERS", description="The same, for log records alone."
    )
    insecure: bool = Field(
        default=False,
        validation_alias="OTEL_EXPORTER_OTLP_INSECURE",
        description="Whether an endpoint without a scheme is used without TLS.",
    )
    sampler: Sampler = Field(
        "parentbased_always_on",
        validation_alias="OTEL_TRACES_SAMPLER",
        description="`always_on`, `always_off`, `traceidratio`, or one of these after `parentbased_`.",
    )
    sampler_argument: float = Field(
        1.0,
        validation_alias="OTEL_TRACES_SAMPLER_ARG",
        ge=0,
        le=1,
        description="Share of new traces that `traceidratio` records, 0 to 1.",
    )
    metrics_interval: float = Field(
        60_000,
        validation_alias="OTEL_METRIC_EXPORT_INTERVAL",
        ge=100,
        le=3_600_000,
        description="Milliseconds between two exports of the metrics.",
    )
    propagators: Annotated[Words, AfterValidator(_known)] = Field(
        ("tracecontext", "baggage"),
        validation_alias="OTEL_PROPAGATORS",
        description="Formats of trace contexts: `tracecontext`, `baggage`, `jaeger`, comma-separated; or `none`.",
    )
    service_version: str = Field(
        "",
        validation_alias="OTEL_SERVICE_VERSION",
        description="`service.version` in exported data. Default: the version of the service.",
    )

    def faults(self, bad: frozenset[str]) -> Iterator[str]:
        """Tell which variables the exporters, where there are any, could not use."""
        return exporter_faults(self._exported(bad))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of the headers, in each form: the SDK complains of one that is ill-formed in its own words."""
        given = (self.headers, self.traces_headers, self.metrics_headers, self.logs_headers)
        pairs = [pair for headers in given if headers for pair in headers.get_secret_value().split(",")]
        values = [pair.partition("=")[2].strip() or pair.strip() for pair in pairs]
        return tuple(form for value in values for form in dict.fromkeys((value, unquote(value))) if form)

    @property
    def protocols(self) -> dict[str, str]:
        """The protocol of each signal that is exported."""
        return self._exported(frozenset())

    def _exported(self, bad: frozenset[str]) -> dict[str, str]:
        """Return the protocol of each signal that is, or may be meant to be, exported; `bad` names what is misspelt."""
        if self.disabled:
            return {}
        signals = {
            "traces": (self.traces_exporter, self.traces_protocol),
            "metrics": (self.metrics_exporter, self.metrics_protocol),
            "logs": (self.logs_exporter, self.logs_protocol),
        }
        return {
            signal: own or self.protocol
            for signal, (exporter, own) in signals.items()
            if exporter == "otlp" or f"OTEL_{signal.upper()}_EXPORTER" in bad
        }
