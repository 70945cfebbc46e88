# SPDX-License-Identifier: MIT
"""Settings of remembered answers: how long they are kept, and how they are used."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from app.settings.types import Seconds, SecondsOrNone, Section

_UNITS: Final = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE: Final = re.compile(r"(\d{1,20})\s*(|KiB|MiB|GiB)", re.ASCII)


def parse_size(value: object) -> object:
    """Return the bytes of a size (`512KiB`, `32MiB`) or of plain bytes; other types as they are."""
    if not isinstance(value, str):
        return value
    size = _SIZE.fullmatch(value.strip())
    if size is None:
        raise ValueError("must be a size such as 512KiB or 32MiB, or plain bytes")
    return int(size[1]) * _UNITS[size[2]]


Bytes = Annotated[int, BeforeValidator(parse_size), Field(ge=0, le=1024**4)]


class ReadSettings(Section):
    """Remembered answers to reads; the mock provider has none."""

    stale_for: SecondsOrNone = Field(
        3600.0,
        validation_alias="READ_STALE_FOR",
        description="Maximum age of an answer that replaces an error of the provider, 30 days at most. `0`: never.",
    )
    fresh_for: SecondsOrNone = Field(
        0.0,
        validation_alias="READ_FRESH_FOR",
        description="Maximum age of an answer that replaces a call of the provider. `0`: never.",
    )
    fresh_for_with_events: SecondsOrNone = Field(
        600.0,
        validation_alias="READ_FRESH_FOR_WITH_EVENTS",
        description="The same while the service follows the tenant's events (`AUTH0_EVENTS`) and receives them.",
    )
    patience: Seconds = Field(
        1.0,
        validation_alias="READ_PATIENCE",
        description="How long the service tries the provider before it uses an older answer, if it has one. Not 0.",
    )
    memory: Bytes = Field(
        32 * 1024**2,
        validation_alias="READ_MEMORY",
        description="Maximum size of all answers that a process remembers: `512KiB`, `32MiB` or plain bytes. The least "
        "recently used is forgotten first.",
    )
