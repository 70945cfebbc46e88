# SPDX-License-Identifier: MIT
"""Every setting, one class a section; the only reader of the environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from app.settings.auth0 import Auth0Settings
from app.settings.authelia import AutheliaSettings, EmailSettings
from app.settings.checks import (
    check_ca,
    check_certificate,
    check_credentials,
    check_key,
    check_seed,
    check_servers,
)
from app.settings.process import ProcessSettings
from app.settings.reading import ConfigurationError as ConfigurationError
from app.settings.reading import Reader
from app.settings.telemetry import TelemetrySettings
from app.settings.types import File, Section, Words, lower_case

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")


def parse_duration(value: object) -> object:
    """Return the seconds of a Go-style duration (`500ms`, `1m30s`) or of plain seconds; other types as they are."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a duration such as 500ms, 10s or 1m30s, or plain seconds") from None


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=86_400, allow_inf_nan=False)]


class NatsSettings(Section):
    """How NATS is reached."""

    servers: Annotated[Words, AfterValidator(check_servers)] = Field(
        ("nats://localhost:4222",),
        validation_alias="NATS_URL",
        description="One or several, comma-separated.",
        min_length=1,
    )
    timeout: Seconds = Field(
        10.0,
        validation_alias="NATS_TIMEOUT",
        description="Bound on connecting and on the service's own calls over NATS.",
    )
    max_reconnect: int = Field(
        3, validation_alias="NATS_MAX_RECONNECT", ge=-1, description="Attempts per server; `-1` for ever, `0` none."
    )
    reconnect_wait: Seconds = Field(2.0, validation_alias="NATS_RECONNECT_WAIT", description="Between attempts.")
    credentials: Annotated[File, AfterValidator(check_credentials)] | None = Field(
        None, validation_alias="NATS_CREDENTIALS", description="File with JWT and seed (`.creds`)."
    )
    nkey_seed: Annotated[SecretStr, AfterValidator(check_seed)] | None = Field(
        None, validation_alias="NATS_NKEY_SEED", description="NKey seed."
    )
    user: str | None = Field(None, validation_alias="NATS_USER", description="User name.")
    password: SecretStr | None = Field(None, validation_alias="NATS_PASSWORD", description="The user's password.")
    token: SecretStr | None = Field(None, validation_alias="NATS_TOKEN", description="Authentication token.")
    tls_ca: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None, validation_alias="NATS_TLS_CA", description="File with the certificates that are trusted."
    )
    tls_cert: Annotated[File, AfterValidator(check_ca)] | None = Field(
        None, validation_alias="NATS_TLS_CERT", description="File with the client certificate."
    )
    tls_key: Annotated[File, AfterValidator(check_key)] | None = Field(
        None, validation_alias="NATS_TLS_KEY", description="File with the client certificate's key."
    )

    def faults(self, bad: frozenset[str]) -> Iterable[str]:
        """Tell which of them are of no use as they stand together."""
        if (self.user is None) != (self.password is None) and bad.isdisjoint({"NATS_USER", "NATS_PASSWORD"}):
            yield "NATS_USER, NATS_PASSWORD: one is of no use without the other"
        has_certificate = self.tls_cert is not None or "NATS_TLS_CERT" in bad
        if (self.tls_key is not None or "NATS_TLS_KEY" in bad) and not has_certificate:
            yield "NATS_TLS_KEY, NATS_TLS_CERT: a key is of no use without its certificate"
        if self.tls_cert is not None and "NATS_TLS_KEY" not in bad:
            yield from check_certificate(self.tls_cert, self.tls_key)

    @property
    def url_passwords(self) -> tuple[str, ...]:
        """The passwords and tokens in the addresses, as they stand there and as they are meant."""
        users = (urlsplit(server if "://" in server else f"nats://{server}") for server in self.servers)
        secrets = (url.password or url.username or "" for url in users)
        return tuple(form for secret in secrets if secret for form in sorted({secret, unquote(secret)}))


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


SECTIONS: Final[tuple[type[Section], ...]] = (
    ProviderSettings,
    NatsSettings,
    WorkSettings,
    HttpSettings,
    LogSettings,
    AliasSettings,
    MockSettings,
    Auth0Settings,
    AutheliaSettings,
    EmailSettings,
    TelemetrySettings,
    ProcessSettings,
)


def _nothing_further(_: Settings) -> Iterable[str]:
    return ()


class Settings:
    """All settings, read on construction and never again."""

    def __init__(
        self,
        *sections: Section,
        env_file: Path | None = None,
        further: Callable[[Settings], Iterable[str]] = _nothing_further,
    ) -> None:
        """Take sections that are given, read the others from the environment (and from `env_file`, for development).

        `further` looks at what the sections cannot, such as what a file holds, and returns a line for each fault:
        `VARIABLE: what is wrong`. It is asked whatever else is wrong, so that one message names all.

        Raises:
            ConfigurationError: a variable is missing or bad.
        """
        reader = Reader(sections, env_file)
        self.provider = reader.read(ProviderSettings)
        self.nats = reader.read(NatsSettings)
        self.work = reader.read(WorkSettings)
        self.http = reader.read(HttpSettings)
        self.log = reader.read(LogSettings)
        self.aliases = reader.read(AliasSettings)
        self.mock = reader.read(MockSettings)
        self.auth0 = reader.read(Auth0Settings)
        self.telemetry = reader.read(TelemetrySettings)
        self.authelia = reader.read(AutheliaSettings)
        self.email = reader.read(EmailSettings)
        self.process = reader.read(ProcessSettings)
        unknown = "USER_REPOSITORY_TYPE" in reader.bad
        if self.provider.type == "auth0":
            reader.complain(self.auth0.missing(reader.bad))
        if self.provider.type == "auth0" or unknown:
            reader.complain(self.auth0.wrong())
        reader.complain(further(self))
        reader.finish()

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The secret values, for masking them wherever they turn up."""
        sections: tuple[Section, ...] = (self.nats, self.auth0, self.authelia, self.email)
        values: list[Any] = [value for section in sections for value in dict(section).values()]
        secrets = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return (*filter(None, secrets), *self.nats.url_passwords, *self.telemetry.header_values)
