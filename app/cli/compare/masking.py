# SPDX-License-Identifier: MIT
"""How much of a request and a reply is shown: enough to act on, and of tokens nothing, whatever is asked for."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.cli.compare.differences import Kind
from app.cli.terminal import printable
from app.domain.redaction import redact, redact_email, redact_subject, redact_tokens

if TYPE_CHECKING:
    from app.cli.compare.differences import Difference
    from app.cli.compare.reads import Request

_MOST: Final = 160
"""Characters of anything that is shown."""
_LOOKED_AT: Final = 4 * _MOST
_SHOWN: Final = 3
_SHOWN_DIGITS: Final = 2
_TOKEN: Final = re.compile(r"(?i)(?:bearer\s+)?(?:eyJ|authelia_)")
_TOLD: Final = (Kind.NO_ANSWER, Kind.FORM, Kind.OUTCOME, Kind.ERROR, Kind.NULL, Kind.ITEMS, Kind.ORDER, Kind.TWICE)
"""Kinds that are told in words of the services or of this command, not by what belongs to a user."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Shows requests and differences; with `show`, whose they are too."""

    show: bool = False

    def request(self, request: Request) -> str:
        """Return who is asked about."""
        return self._value(request.given) if request.given else "(nobody can be read out of it)"

    def difference(self, difference: Difference, request: Request) -> tuple[str, str]:
        """Return what stands in the old answer and what in the new one; two that differ never look the same."""
        if difference.kind in _TOLD:
            return self._words(difference.old, request), self._words(difference.new, request)
        old, new = self._value(difference.old), self._value(difference.new)
        if old == new:
            hint = _hint(difference.old, difference.new)
            return f"{old} ({hint[0]})", f"{new} ({hint[1]})"
        return old, new

    def words(self, text: str, request: Request) -> str:
        """Return words that a service chose itself, and of which nobody knows what they hold, for grouping by them."""
        return re.sub(r"\d+", "#", self._words(text, request))

    def _words(self, value: object, request: Request) -> str:
        text = str(value)
        return _cut(redact_tokens(text, _LOOKED_AT) if self.show else redact(text, (request.given,), _LOOKED_AT))

    def _value(self, value: object) -> str:
        if isinstance(value, bool) or value is None:
            return json.dumps(value)
        if isinstance(value, list | dict):
            return f"{type(value).__name__.replace('dict', 'object')} of {len(value)}"
        text = str(value)[:_LOOKED_AT]
        if _TOKEN.match(text):
            return "[token]"
        if self.show:
            return _cut(redact_tokens(text, _LOOKED_AT))
        if not isinstance(value, str):
            return f"{text[:_SHOWN_DIGITS]}****"
        return _cut(redact_email(text) if "@" in text else redact_subject(text) if "|" in text else _masked(text))


def _masked(text: str) -> str:
    if text in {"", "absent"}:
        return text or '""'
    return (text[:_SHOWN] if len(text) > _SHOWN else text[: len(text) // 2]) + "****"


def _cut(text: str) -> str:
    """Return a text for one line, with control characters spelled out."""
    shown = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    return printable(shown.replace("\n", "\\n").replace("\t", "\\t"))


def _hint(old: object, new: object) -> tuple[str, str]:
    """Return in what two values differ that look the same when masked."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return "one value", "another value"
    if old.strip() == new.strip():
        return "its white space", "other white space"
    if old.casefold() == new.casefold():
        return "its case", "another case"
    if unicodedata.normalize("NFC", old[:_LOOKED_AT]) == unicodedata.normalize("NFC", new[:_LOOKED_AT]):
        return "its code points", "other code points"
    if len(old) != len(new):
        return f"{len(old)} characters", f"{len(new)} characters"
    return (
        "one value",
        f"another, from character {next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b) + 1}",
    )
