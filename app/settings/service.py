# SPDX-License-Identifier: MIT
"""The service's own settings: its work, its HTTP side, its log, its provider, and what concerns every process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.settings.checks import check_ca
from app.settings.types import File, Seconds, Section, Words, lower_case


class WorkSettings(Section):
    """How much is done at once, and for how long."""

    timeout: Seconds | None = Field(
        None,
        validation_alias="REQUEST_TIMEOUT",
        description="Bound on handling one request; `NATS_TIMEOUT` unless set.",
    )
    nats_timeout: Seconds = Field(10.0, validation_alias="NATS_TIMEOUT", exclude=True)
    max_concurrent_requests: int = Field(
        256,
        validation_alias="MAX_CONCURRENT_REQUESTS",
        ge=1,
        le=100_000,
        description="Requests handled at once by a process, at most three quarters of them on one subject.",
    )
    max_pending_requests: int = Field(
        65_536,
        validation_alias="MAX_PENDING_REQUESTS",
        ge=0,
        le=10_000_000,
        description="Requests waiting for their turn in a process.",
    )

    @property
    def request_timeout(self) -> float:
        """Seconds for which a request is handled at most."""
        return self.nats_timeout if self.timeout is None else self.timeout


class HttpSettings(Section):
    """The HTTP side: health, metrics, documentation."""

    port: int = Field(8080, validation_alias="PORT", ge=0, le=65_535, description="Port of the HTTP side.")
    bind: str = Field("*", validation_alias="BIND", description="Address of the HTTP side; `*`: all addresses.")


class LogSettings(Section):
    """What is logged, and in which form."""

    level: Annotated[Literal["debug", "info", "warn", "error"], BeforeValidator(lower_case)] = Field(
        "info", validation_alias="LOG_LEVEL", description="`debug`, `info`, `warn` or `error`."
    )
    format: Annotated[Literal["json", "console"], BeforeValidator(lower_case)] = Field(
        "json", validation_alias="LOG_FORMAT", description="`json` or `console`."
    )
    add_source: bool = Field(default=False, validation_alias="LOG_ADD_SOURCE", description="File and line in records.")


class AliasSettings(Section):
    """Which aliases are given out."""

    allowed_domains: Words = Field(
        (), validation_alias="ALLOWED_ALIAS_DOMAINS", description="Comma-separated; empty: aliases are off."
    )
    reserved_extra: Words = Field(
        (), validation_alias="AUTH0_ALIAS_RESERVED_EXTRA", description="Comma-separated further reserved names."
    )


class ProviderSettings(Section):
    """Which identity provider stands behind the service."""

    type: Annotated[Literal["mock", "auth0", "authelia"], BeforeValidator(lower_case)] = Field(
        "mock", validation_alias="USER_REPOSITORY_TYPE", description="Which provider: `mock`, `auth0` or `authelia`."
    )


class MockSettings(Section):
    """The mock provider."""

    users_file: File | None = Field(
        None,
        validation_alias="MOCK_USERS_FILE",
        description="Users of the mock provider, a YAML file; the fixture users unless set.",
    )


class ProcessSettings(Section):
    """What concerns every process."""

    trusted: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None,
        validation_alias="SSL_CERT_FILE",
        description="File with the certificates that are trusted, in the place of the system's.",
    )
