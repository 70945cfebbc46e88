# SPDX-License-Identifier: MIT
"""Every setting, one class a section; the only reader of the environment."""

from __future__ import annotations

import base64
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator

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


_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?")


class Auth0Settings(Section):
    """The Auth0 provider. What it cannot do without is asked for only when it is the provider."""

    tenant: str = Field("", validation_alias="AUTH0_TENANT", description="Required unless `AUTH0_DOMAIN` is given.")
    domain: str = Field(
        "",
        validation_alias="AUTH0_DOMAIN",
        description="Host, may carry a port; `<AUTH0_TENANT>.auth0.com` unless set.",
    )
    m2m_client_id: str = Field(
        "", validation_alias="AUTH0_M2M_CLIENT_ID", description="Required: the service's own application."
    )
    m2m_private_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="AUTH0_M2M_PRIVATE_BASE64_KEY",
        description="Required: its RSA key, PEM (PKCS#8 or PKCS#1) or base64 of that.",
    )
    audience: str = Field(
        "", validation_alias="AUTH0_AUDIENCE", description="Required: audience of the service's own token."
    )
    management_audience: str = Field(
        "",
        validation_alias="AUTH0_MANAGEMENT_AUDIENCE",
        description="Audience of callers' tokens; `https://<domain>/api/v2/` unless set.",
    )
    organization: str = Field(
        "", validation_alias="AUTH0_ORGANIZATION", description="Organization of the service's own token."
    )
    profile_client_id: str = Field(
        "",
        validation_alias="AUTH0_LFX_PROFILE_CLIENT_ID",
        description="Required: the application that mails one-time codes and checks passwords.",
    )
    profile_client_secret: SecretStr = Field(
        SecretStr(""), validation_alias="AUTH0_LFX_PROFILE_CLIENT_SECRET", description="Required: its secret."
    )
    lfx_one_client_id: str = Field(
        "",
        validation_alias="AUTH0_LFX_ONE_CLIENT_ID",
        description="The application of reset links; without it: `password service unavailable`.",
    )
    lfx_v2_api_audience: str = Field(
        "",
        validation_alias="AUTH0_LFX_V2_API_AUDIENCE",
        description="Audience of impersonation; without it: `impersonation flow unavailable`.",
    )
    impersonation_require_claim: bool = Field(
        default=True,
        validation_alias="AUTH0_IMPERSONATION_REQUIRE_CLAIM",
        description="Whether the token of who impersonates must say that they may.",
    )

    @property
    def host(self) -> str:
        """The tenant's host, with its port if it has one."""
        return self.domain or f"{self.tenant}.auth0.com"

    def private_key_pem(self) -> SecretStr:
        """Return the service's RSA key as PEM. Raises ValueError for anything else."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - this provider only
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

        text = self.m2m_private_key.get_secret_value().strip()
        try:
            pem = text.encode() if text.startswith("-----") else base64.b64decode("".join(text.split()), validate=True)
            key: object = load_pem_private_key(pem, password=None)
        except Exception:  # noqa: BLE001 - the library raises many kinds, whose words may show the key
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("must be an RSA private key: PEM (PKCS#8 or PKCS#1), or base64 of that")  # noqa: TRY004
        return SecretStr(pem.decode())

    def problems(self) -> list[str]:
        """Return a line for every variable without which, or with whose value, this provider cannot start."""
        required = {
            "AUTH0_M2M_CLIENT_ID": self.m2m_client_id,
            "AUTH0_M2M_PRIVATE_BASE64_KEY": self.m2m_private_key.get_secret_value(),
            "AUTH0_AUDIENCE": self.audience,
            "AUTH0_LFX_PROFILE_CLIENT_ID": self.profile_client_id,
            "AUTH0_LFX_PROFILE_CLIENT_SECRET": self.profile_client_secret.get_secret_value(),
            "AUTH0_TENANT": self.tenant or self.domain,
        }
        lines = [f"  {name}: required for auth0" for name, value in required.items() if not value]
        if (self.tenant or self.domain) and not _HOST.fullmatch(self.host):
            lines.append(f"  {'AUTH0_DOMAIN' if self.domain else 'AUTH0_TENANT'}: must be a host name")
        if self.m2m_private_key.get_secret_value():
            try:
                self.private_key_pem()
            except ValueError as error:
                lines.append(f"  AUTH0_M2M_PRIVATE_BASE64_KEY: {error}")
        return lines


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
        return (*filter(None, secrets), *self.nats.url_passwords)


def _explain(error: ValidationError) -> list[str]:
    """Return a line for every offending variable; pydantic's messages say what is wanted, never what was given."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {problem['loc'][0]}: {text}" if problem["loc"] else f"  {text}")
    return lines
