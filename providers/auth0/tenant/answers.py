# SPDX-License-Identifier: MIT
"""The tenant's answers, and how they are read."""

from __future__ import annotations

import gc
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Any, Final

from app.domain.halves import whole
from app.domain.json_bounds import VALUES, holds_more, no_constant, values
from providers.http import BrokenAnswer, TooMuch

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD: Final = ("retry-after", "x-ratelimit-reset", "date")
"""The headers of a refusal that are looked at."""

_OK: Final = range(200, 300)
_UNREAD: Final = object()

UNREADABLE: Final = object()
"""What stands in the place of a number that is too long to be looked at."""

_MAX_DIGITS: Final = 64
_MAX_DEPTH: Final = 64
_MAX_BRACKETS: Final = 100_000
_BRACKETS: Final = re.compile(rb'("(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}])', re.DOTALL)
_STEPS: Final = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}

MAX_VALUES: Final = 50_000
"""Values in an answer: the longest that anybody needs, a page of users, has a few thousand."""

_MAX_SKIPPED: Final = 600_000
"""Values in an answer in which entries of a list are looked for: a user may have a megabyte of them, `0,0,0,…`."""

_MAX_ENTRIES: Final = 1_000
"""Entries of such a list: a page has a hundred users at most."""

MAX_TEXT: Final = 1_000
"""Characters of a refusal's text that are looked at: its words stand at the beginning."""

_TO_SKIP: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE: Final = re.compile(r"[ \t\n\r]*+")


@dataclass(slots=True)
class Answer:
    """A response, read to its end. `headers` are those of `TOLD`, and those of a refusal only."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    _content: Any = field(default=_UNREAD, init=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return self.status in _OK

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Return the body as JSON. Raises BrokenAnswer; TooMuch when there are more values than anybody needs.

        In a list that is too much, null stands for the longest entries, so that the others can be read. Numbers keep
        every digit: `int` or `Decimal`; one of more than 64 characters is `UNREADABLE`. Where values are nested too
        deep to be read, null stands for what is deeper than 64 levels, so that the rest can be read.
        """
        if self._content is _UNREAD:
            try:
                self._content = _read(self.body)
            except TooMuch as error:
                self._content = TooMuch(*error.args)
            except (ValueError, RecursionError):
                self._content = BrokenAnswer("no JSON")
        if isinstance(self._content, BrokenAnswer):  # a new one: it would hold this object by its traceback
            raise type(self._content)(*self._content.args)
        return self._content

    def text_of(self, *names: str) -> str:
        """Return the string values of these members, `MAX_TEXT` of each, joined; empty when there is no JSON object."""
        try:
            content = self.json()
        except BrokenAnswer:
            return ""
        values = [content.get(name) for name in names] if isinstance(content, dict) else []
        return " ".join(value[:MAX_TEXT] for value in values if isinstance(value, str))


def _read(body: bytes) -> Any:  # noqa: ANN401 - whatever was sent
    """Return what JSON holds, within the bounds. Raises TooMuch, ValueError, RecursionError."""
    read = _short if holds_more(MAX_VALUES, body, VALUES) else _parsed
    try:
        return read(body)
    except RecursionError:
        return read(_cut_at_depth(body))


def _short(body: bytes) -> list[Any]:
    """Return a list without the entries that make it too long. Raises TooMuch, ValueError, RecursionError."""
    if holds_more(_MAX_SKIPPED, body, VALUES):
        raise TooMuch("too many values")
    entries = _entries(body.decode("utf-8-sig"))
    sizes = list(map(values, entries))
    read: list[Any] = [None] * len(entries)
    left = MAX_VALUES
    for number in sorted(range(len(entries)), key=sizes.__getitem__):
        left -= sizes[number]
        if left < 0:
            break
        read[number] = _parsed(entries[number])
    return read


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - whatever was sent
    # UTF-8, as RFC 8259, section 8.1, wants it; by itself the library takes halves of surrogate pairs in it.
    content = json.loads(body.decode("utf-8-sig"), parse_int=_int, parse_float=_decimal, parse_constant=no_constant)
    return whole(content, body)


def _entries(text: str) -> list[bytes]:
    """Return the texts of a list's entries. Raises TooMuch when it is no list, and ValueError."""
    entries: list[bytes] = []
    place = _after_space(text, 0)
    if text[place : place + 1] != "[":
        raise TooMuch("too many values")
    while text[place] != "]":
        if len(entries) == _MAX_ENTRIES:
            raise TooMuch("too many values")
        begin = _after_space(text, place + 1)
        end = _end_of_value(text, begin)
        entries.append(text[begin:end].encode())
        place = _after_space(text, end)
        if text[place : place + 1] not in {",", "]"}:
            raise ValueError("no list")
    if _after_space(text, place + 1) != len(text):
        raise ValueError("more than a list")
    return entries


def _end_of_value(text: str, begin: int) -> int:
    # Hundreds of thousands of arrays are made and thrown away: to look for circles among them takes five times as long.
    gc.disable()
    try:
        return _TO_SKIP.raw_decode(text, begin)[1]
    finally:
        gc.enable()


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return place if found is None else found.end()


def _int(text: str) -> object:
    return int(text) if len(text) <= _MAX_DIGITS else UNREADABLE


def _decimal(text: str) -> object:
    try:
        return Decimal(text) if len(text) <= _MAX_DIGITS else UNREADABLE
    except ArithmeticError:  # an exponent that is no exponent of a decimal
        return UNREADABLE


def _cut_at_depth(body: bytes) -> bytes:
    """Return the JSON text with null for every array and object below `_MAX_DEPTH` others.

    Raises ValueError when there are too many brackets to be looked at, and where one of these is not closed.
    """
    pieces = _BRACKETS.split(body, _MAX_BRACKETS)  # every other one is a bracket or a string
    if len(pieces) > 2 * _MAX_BRACKETS:
        raise ValueError("too many brackets")
    below = _MAX_DEPTH + 1
    depths = [*accumulate(map(_STEPS.get, pieces[1::2], repeat(0)), initial=0), below]
    kept: list[bytes] = []
    end = 0
    while (begin := depths.index(below, end)) < len(depths) - 1:
        kept += pieces[2 * end : 2 * begin - 1]
        kept.append(b"null")
        end = depths.index(_MAX_DEPTH, begin)
    return b"".join(kept + pieces[2 * end :])
