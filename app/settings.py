# SPDX-License-Identifier: MIT
"""Every setting, one class a section; the only reader of the environment."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from app.auth0_settings import Auth0Settings
from app.authelia_settings import AutheliaSettings, EmailSettings
from app.setting_checks import check_ca, check_certificate, check_credentials, check_file, check_seed, check_servers
from app.setting_types import Section, Words, lower_case
from app.telemetry_settings import TelemetrySettings

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")
_SECTION = TypeVar("_SECTION", bound=Section)


class ConfigurationError(Exception):
    """The environment is not fit to start with; the message names every offending variable and shows no value."""


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
File = Annotated[Path, AfterValidator(check_file)]


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
    tls_cert: File | None = Field(
        None, validation_alias="NATS_TLS_CERT", description="File with the client certificate."
    )
    tls_key: File | None = Field(
        None, validation_alias="NATS_TLS_KEY", description="File with the client certificate's key."
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("NATS_USER, NATS_PASSWORD: one is of no use without the other")
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError("NATS_TLS_KEY, NATS_TLS_CERT: a key is of no use without its certificate")
        if self.tls_cert is not None:
            check_certificate(self.tls_cert, self.tls_key)
        return self

    @property
    def url_passwords(self) -> tuple[str, ...]:
        """The passwords and tokens in the addresses."""
        users = (urlsplit(server if "://" in server else f"nats://{server}") for server in self.servers)
        return tuple(secret for url in users if (secret := url.password or url.username))


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
)


class Settings:
    """All settings, read on construction and never again."""

    def __init__(self, *sections: Section, env_file: Path | None = None) -> None:
        """Take sections that are given, read the others from the environment (and from `env_file`, for development).

        Raises:
            ConfigurationError: a variable is missing or bad.
        """
        given: dict[type, Any] = {type(section): section for section in sections}
        problems: list[str] = []

        def read(section: type[_SECTION]) -> _SECTION:
            if section in given:
                return cast("_SECTION", given[section])
            try:
                return section(_env_file=env_file)
            except ValidationError as error:
                problems.extend(_explain(error))
                return cast("_SECTION", section.model_construct())

        self.provider = read(ProviderSettings)
        self.nats = read(NatsSettings)
        self.work = read(WorkSettings)
        self.http = read(HttpSettings)
        self.log = read(LogSettings)
        self.aliases = read(AliasSettings)
        self.mock = read(MockSettings)
        self.auth0 = read(Auth0Settings)
        self.telemetry = read(TelemetrySettings)
        if self.provider.type == "auth0":
            problems.extend(self.auth0.problems())
        self.authelia = read(AutheliaSettings)
        self.email = read(EmailSettings)
        if problems:
            raise ConfigurationError("\n".join(["bad configuration:", *sorted(set(problems))]))

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The secret values, for masking them wherever they turn up."""
        sections: tuple[Section, ...] = (self.nats, self.auth0, self.authelia, self.email)
        values: list[Any] = [value for section in sections for value in dict(section).values()]
        secrets = (value.get_secret_value() for value in values if isinstance(value, SecretStr))
        return (*filter(None, secrets), *self.nats.url_passwords, *self.telemetry.header_values)


def _explain(error: ValidationError) -> list[str]:
    """Return a line for every offending variable; pydantic's messages say what is wanted, never what was given."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {problem['loc'][0]}: {text}" if problem["loc"] else f"  {text}")
    return lines
