# SPDX-License-Identifier: MIT
"""What every world has: a clock, aliases, and tokens that prove nothing."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from app.settings import SECTIONS, AliasSettings

ALIASES = AliasSettings(allowed_domains=("linux.com", "Kernel.Example"), reserved_extra=("Board",))


DEFAULTS = tuple(section.model_construct() for section in SECTIONS)
"""Every section of the settings as it is where nothing is set: to read them takes longer than most tests."""


@dataclass
class Clock:
    """A clock that stands until it is moved; Unix seconds."""

    now: float = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def unsigned(claims: object, header: object = None) -> str:
    """Return a JWT with a signature that proves nothing."""
    parts = (header or {"alg": "RS256", "typ": "JWT"}, claims)
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "c2ln"]
    )
