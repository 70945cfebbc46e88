# SPDX-License-Identifier: MIT
"""Masks requests and replies: shows enough to act on, and never any part of a token."""

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
    from collections.abc import Iterator

    from app.cli.compare.differences import Difference
    from app.cli.compare.reads import Request

_MOST: Final = 160
"""Characters of anything that is shown."""
_LOOKED_AT: Final = 4 * _MOST
_SHOWN: Final = 3
_SHOWN_DIGITS: Final = 2
_TOKEN: Final = re.compile(r"(?i)(?:bearer\s+)?(?:eyJ|authelia_|e[yw][\w-]{8,}\.[\w-]+\.)")
"""A JWT begins with a `{` in base64url, with or without white space behind it (RFC 7519, section 3)."""
_ADDRESS: Final = re.compile(r"[^\s@|]+@[^\s@|]+\Z")
_SUBJECT: Final = re.compile(r"[\w-]{1,40}\|\S+\Z")
_SOMEBODYS: Final = re.compile(
    r"""(?<!\w)(['"`])[^'"`\n]{4,}\1(?!\w)|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{8,}|\b\w+(?:\.\w+)+"""
)
"""What stands in quotes, ids, and words with dots within, in an error text: whose they are nobody knows."""
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
            old, new = self._words(difference.old, request), self._words(difference.new, request)
        else:
            old, new = self._value(difference.old), self._value(difference.new)
        if old == new and not (difference.kind in _TOLD and difference.old == difference.new):
            hint = _hint(difference.old, difference.new)
            return f"{old} ({hint[0]})", f"{new} ({hint[1]})"
        return old, new

    def words(self, text: str, request: Request) -> str:
        """Return words that a service chose itself, and of which nobody knows what they hold, for grouping by them."""
        return re.sub(r"\d+", "#", self._words(text, request))

    def _words(self, value: object, request: Request) -> str:
        text = str(value)
        if self.show:
            return _cut(redact_tokens(text, _LOOKED_AT))
        text = redact(text, _as_they_stand(request.given, text[: 2 * _LOOKED_AT]), _LOOKED_AT)
        return _cut(_SOMEBODYS.sub(lambda found: (quote := found[1] or "") + "****" + quote, text))

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
        masked = redact_email if _ADDRESS.match(text) else redact_subject if _SUBJECT.match(text) else _masked
        return _cut(masked(text))


def _masked(text: str) -> str:
    if text in {"", "absent"}:
        return text or '""'
    # No whole word of it, which may be a first name.
    word = next(iter(text.split(maxsplit=1)), "")
    return word[: min(_SHOWN, len(word) // 2)] + "****"


def _as_they_stand(given: str, text: str) -> Iterator[str]:
    """Yield who is asked about as they stand in a text: whole, or without domain or provider; in any case."""
    yield given
    for name in {given, given.rpartition("@")[0], given.partition("|")[2]}:
        if 0 < len(name) <= len(text):
            yield from {found[0] for found in re.finditer(re.escape(name), text, re.IGNORECASE)}


def _cut(text: str) -> str:
    """Return a text for one line, with control characters spelled out."""
    shown = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    return printable(shown.replace("\n", "\\n").replace("\t", "\\t"))


def _hint(old: object, new: object) -> tuple[str, str]:
    """Return in what two values differ that look the same when masked."""
    if not (isinstance(old, str) and isinstance(new, str)) or old == new:
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
