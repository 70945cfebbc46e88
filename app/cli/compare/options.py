# SPDX-License-Identifier: MIT
"""The values of the command line's options."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `auth-service compare`, as they were typed in."""

    old: str | None
    new: str | None
    old_prefix: str | None
    new_prefix: str | None
    inputs: str | None
    from_traffic: str | None
    rate: float
    timeout: str
    show: bool
    form: Form
