# SPDX-License-Identifier: MIT
"""The service's own settings: its work, its HTTP server, its log, its provider, and what every process reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.settings.checks import check_ca, check_domains, check_host
from app.settings.types import File, Seconds, Section, Words, lower_case


class WorkSettings(Section):
    """How many requests at once, and how long each may take."""

    timeout: Seconds | None = Field(
        None,
        validation_alias="REQUEST_TIMEOUT",
        description="Timeout of one request. Default: `NATS_TIMEOUT`.",
    )
    nats_timeout: Seconds = Field(10.0, validation_alias="NATS_TIMEOUT", exclude=True)
    max_concurrent_requests: int = Field(
        256,
        validation_alias="MAX_CONCURRENT_REQUESTS",
        ge=1,
        le=100_000,
        description="Requests that a process handles at once, at most three quarters of them on one subject.",
    )
    max_pending_requests: int = Field(
        65_536,
        validation_alias="MAX_PENDING_REQUESTS",
        ge=0,
        le=10_000_000,
        description="Requests that may wait for their turn in a process.",
    )

    @property
    def request_timeout(self) -> float:
        """Seconds for which a request is handled at most."""
        return self.nats_timeout if self.timeout is None else self.timeout


class HttpSettings(Section):
    """The HTTP server: health, metrics, documentation."""

    port: int = Field(8080, validation_alias="PORT", ge=0, le=65_535, description="Port of the HTTP server.")
    bind: Annotated[str, AfterValidator(check_host)] = Field(
        "*", validation_alias="BIND", description="Address of the HTTP server; `*`: all addresses."
    )


class LogSettings(Section):
    """The log."""

    level: Annotated[Literal["debug", "info", "warn", "error"], BeforeValidator(lower_case)] = Field(
        "info", validation_alias="LOG_LEVEL", description="`debug`, `info`, `warn` or `error`."
    )
    format: Annotated[Literal["json", "console"], BeforeValidator(lower_case)] = Field(
        "json", validation_alias="LOG_FORMAT", description="`json` or `console`."
    )
    add_source: bool = Field(
        default=False, validation_alias="LOG_ADD_SOURCE", description="Whether records show file and line."
    )


class AliasSettings(Section):
    """Which aliases users can get."""

    allowed_domains: Annotated[Words, AfterValidator(check_domains)] = Field(
        (), validation_alias="ALLOWED_ALIAS_DOMAINS", description="Comma-separated domains. Empty: aliases are off."
    )
    reserved_extra: Words = Field(
        (), validation_alias="AUTH0_ALIAS_RESERVED_EXTRA", description="More reserved names, comma-separated."
    )


class ProviderSettings(Section):
    """Which identity provider the service uses."""

    type: Annotated[Literal["mock", "auth0", "authelia"], BeforeValidator(lower_case)] = Field(
        "mock", validation_alias="USER_REPOSITORY_TYPE", description="The provider: `mock`, `auth0` or `authelia`."
    )


class MockSettings(Section):
    """The mock provider."""

    users_file: File | None = Field(
        None,
        validation_alias="MOCK_USERS_FILE",
        description="YAML file with the users of the mock provider. Default: the fixture users.",
    )


class ProcessSettings(Section):
    """Variables that every process reads."""

    trusted: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None,
        validation_alias="SSL_CERT_FILE",
        description="File with the trusted certificates. It replaces the system's.",
    )
