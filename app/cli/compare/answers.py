# SPDX-License-Identifier: MIT
"""One service's answer: a reply or none, and its content. Every reply is as hostile as any other message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.domain.json_bounds import NESTED, VALUES, holds_more, no_constant, no_name_twice

MAX_READ: Final = 1024 * 1024
"""Bytes of a reply that is understood; longer ones are compared byte by byte."""

_MAX_NESTED: Final = 2_000
_MAX_VALUES: Final = 50_000

NO_REPLY: Final = "no reply in time"
NOBODY: Final = "nobody answers"
AWAY: Final = "NATS is away"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one service said. `fault` says why there is no body."""

    body: bytes
    seconds: float
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A bare value, or what is no JSON object."""

    text: str


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object."""

    fields: dict[str, object]

    @property
    def error(self) -> str | None:
        """The error of a failure; None for a success. An object that says neither is a failure without a text."""
        if self.fields.get("success") is True:
            return None
        error = self.fields.get("error")
        return error if isinstance(error, str) else ""


@dataclass(frozen=True, slots=True)
class Opaque:
    """What cannot be read within bounds: too long, too deep, no UTF-8, no JSON where it begins like some.

    A name twice in one object is no JSON either: which of its values a caller sees depends on the caller's library.
    """

    why: str


def understood(body: bytes) -> Text | Object | Opaque:
    """Return what a reply says: callers look for a leading `{`."""
    if len(body) > MAX_READ:
        return Opaque("too long to read")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Opaque("no UTF-8")
    if not text.startswith("{"):
        return Text(text)
    if holds_more(_MAX_NESTED, body, NESTED) or holds_more(_MAX_VALUES, body, VALUES):
        return Opaque("too many values")
    try:
        # Binary floats would make one number of two (RFC 8259, section 6).
        value = json.loads(text, parse_constant=no_constant, parse_float=Decimal, object_pairs_hook=no_name_twice)
    except (ValueError, ArithmeticError, RecursionError):
        return Opaque("no JSON")
    return Object(value) if isinstance(value, dict) else Opaque("no JSON")
