# SPDX-License-Identifier: MIT
"""Every setting, one class a section; the only reader of the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from app.settings.auth0 import Auth0Settings
from app.settings.authelia import AutheliaSettings, EmailSettings
from app.settings.nats import NatsSettings as NatsSettings
from app.settings.reading import ConfigurationError as ConfigurationError
from app.settings.reading import Reader
from app.settings.reads import ReadSettings as ReadSettings
from app.settings.service import AliasSettings as AliasSettings
from app.settings.service import HttpSettings as HttpSettings
from app.settings.service import LogSettings as LogSettings
from app.settings.service import MockSettings as MockSettings
from app.settings.service import ProcessSettings as ProcessSettings
from app.settings.service import ProviderSettings as ProviderSettings
from app.settings.service import WorkSettings as WorkSettings
from app.settings.telemetry import TelemetrySettings
from app.settings.types import Section
from app.settings.types import parse_duration as parse_duration

SECTIONS: Final[tuple[type[Section], ...]] = (
    ProviderSettings,
    NatsSettings,
    WorkSettings,
    HttpSettings,
    LogSettings,
    ReadSettings,
    AliasSettings,
    MockSettings,
    Auth0Settings,
    AutheliaSettings,
    EmailSettings,
    TelemetrySettings,
    ProcessSettings,
)


class Settings:
    """All settings, read on construction and never again."""

    def __init__(
        self,
        *sections: Section,
        env_file: Path | None = None,
        further: Callable[[Settings], Iterable[str]] = lambda _: (),
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
        self.reads = reader.read(ReadSettings)
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
        sections = [value for value in vars(self).values() if isinstance(value, Section)]
        return tuple(secret for section in sections for secret in section.secrets)
