# SPDX-License-Identifier: MIT
"""The building blocks of the settings' sections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.settings.checks import check_file, check_text
from app.settings.secret_texts import bare

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|[µμ]s|ns)")


class Section(BaseSettings):
    """A part of the settings. A variable that is set to the empty string counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
        case_sensitive=True,  # as documented; a `port` of somebody else in the pod is none of these
        populate_by_name=True,
        # What may be given in code by a field's name must not come from the environment under it: `USER` is no user of
        # NATS. The prefix goes before names only, and no variable's name has an equals sign.
        env_prefix="=",
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - all five are given by their names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return what is given in code, the environment and, if there is one, the file; to read none costs as much."""
        has_file = isinstance(dotenv_settings, DotEnvSettingsSource) and dotenv_settings.env_file is not None
        return (init_settings, env_settings, dotenv_settings) if has_file else (init_settings, env_settings)

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return check_text(value) if isinstance(value, str) else value

    def faults(self, bad: frozenset[str]) -> Iterable[str]:  # noqa: ARG002 - for those that override it
        """Tell what is wrong with the values as they stand together: lines `VARIABLE, VARIABLE: what is wrong`.

        Asked also when some of them are wrong by themselves: those are named in `bad`, and have their defaults here.
        """
        return ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values, for masking them wherever they turn up; none of them is empty."""
        values = (value for _, value in self)
        return tuple(filter(None, (value.get_secret_value() for value in values if isinstance(value, SecretStr))))


def _split(value: object) -> object:
    return [part for part in (p.strip() for p in value.split(",")) if part] if isinstance(value, str) else value


def lower_case(value: object) -> object:
    """Return text in lower case and without space around it, anything else as it is."""
    return value.strip().lower() if isinstance(value, str) else value


def _bare(value: object) -> object:
    return bare(value) if isinstance(value, str) else value


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


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Words, comma-separated."""

Name = Annotated[str, BeforeValidator(_bare)]
"""What somebody else gave a name to, such as a client ID. A line's end that was copied along is no part of it."""

SecretName = Annotated[SecretStr, BeforeValidator(_bare)]
"""The same, not to be shown. Passwords are none: people choose them, spaces included."""

File = Annotated[Path, AfterValidator(check_file)]
"""A file that can be read."""

Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=86_400, allow_inf_nan=False)]
"""A span of time in seconds; read as a Go-style duration or plain seconds."""

SecondsOrNone = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=30 * 86_400, allow_inf_nan=False)]
"""The same, which may be 0, and up to 30 days."""
