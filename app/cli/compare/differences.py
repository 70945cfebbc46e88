# SPDX-License-Identifier: MIT
"""The differences between two answers, field by field."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from app.cli.compare.answers import Object, Opaque, Text, understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.compare.answers import Answer

_MOST: Final = 20
"""Differences that are told of one pair of answers."""
_MAX_DEPTH: Final = 30
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
"""A field's name as it is shown; anything else may be somebody's."""


class Kind(StrEnum):
    """In what answers differ."""

    NO_ANSWER = "no answer"
    FORM = "form of the reply"
    OUTCOME = "success or failure"
    ERROR = "error text"
    VALUE = "value"
    TYPE = "type"
    MISSING = "missing field"
    FURTHER = "further field"
    NULL = "null or absent"
    ITEMS = "number of items"
    ORDER = "order"
    TWICE = "more than one reply"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two answers differ: where in the reply, and what stands there in each."""

    kind: Kind
    where: str
    old: object
    new: object


def differences(old: Answer, new: Answer) -> list[Difference]:
    """Return in what two answers differ, each kind once for each place; nothing when they say the same."""
    if old.fault or new.fault:
        # Two services that both say nothing show nothing.
        return [Difference(Kind.NO_ANSWER, "", old.fault or "a reply", new.fault or "a reply")]
    if old.body == new.body:
        return []
    found: dict[tuple[Kind, str], Difference] = {}
    try:
        for difference in _between(old.body, new.body):
            found.setdefault((difference.kind, difference.where), difference)
            if len(found) == _MOST:
                break
    except RecursionError:
        # Read within the interpreter's bound, and beyond it where it is compared.
        found.setdefault((Kind.VALUE, ""), Difference(Kind.VALUE, "", "nested too deep", "nested too deep"))
    return list(found.values())


def _between(old_body: bytes, new_body: bytes) -> Iterator[Difference]:
    old, new = understood(old_body), understood(new_body)
    match old, new:
        case Object(), Object():
            yield from _objects(old, new)
        case Text(), Text() if _form(old) == _form(new):
            yield Difference(Kind.VALUE, "", old.text, new.text)
        case (Text(), Object()) | (Object(), Text()) if _failed(old) or _failed(new):
            yield Difference(Kind.OUTCOME, "", _said(old), _said(new))
        case _:
            yield Difference(Kind.FORM, "", _form(old), _form(new))


def _objects(old: Object, new: Object) -> Iterator[Difference]:
    if (old.error is None) != (new.error is None):
        yield Difference(Kind.OUTCOME, "", _said(old), _said(new))
        return
    if old.error != new.error:
        yield Difference(Kind.ERROR, "", old.error, new.error)
    told = {"error"} if old.error and new.error else set()
    rest = [{name: value for name, value in one.fields.items() if name not in told} for one in (old, new)]
    yield from _values(rest[0], rest[1], "", 0)


def _failed(answer: Text | Object | Opaque) -> bool:
    return isinstance(answer, Object) and answer.error is not None


def _said(answer: Text | Object | Opaque) -> str:
    if isinstance(answer, Object):
        return "success" if answer.error is None else f"error: {answer.error}"
    return "success" if isinstance(answer, Text) and answer.text else "an empty reply"


def _form(answer: Text | Object | Opaque) -> str:
    match answer:
        case Object():
            return "a JSON object"
        case Text(text):
            return "a text in quotes" if text.startswith('"') else "a bare text"
    return answer.why


def _values(old: Any, new: Any, where: str, depth: int) -> Iterator[Difference]:  # noqa: ANN401 - any JSON
    if type_of(old) != type_of(new):
        yield Difference(Kind.TYPE, where, old, new)
    elif depth > _MAX_DEPTH:
        if _text(old) != _text(new):
            yield Difference(Kind.VALUE, where, "…", "…")
    elif isinstance(old, dict):
        yield from _fields(old, new, where, depth)
    elif isinstance(old, list):
        yield from _lists(old, new, where, depth)
    elif old != new:
        yield Difference(Kind.VALUE, where, old, new)


def _fields(old: dict[str, Any], new: dict[str, Any], where: str, depth: int) -> Iterator[Difference]:
    for name in dict.fromkeys([*old, *new]):
        place = f"{where}.{_shown(name)}".lstrip(".")
        if name in old and name in new:
            yield from _values(old[name], new[name], place, depth + 1)
        elif old.get(name) is None and new.get(name) is None:
            yield Difference(Kind.NULL, place, *("null" if name in one else "absent" for one in (old, new)))
        elif name in old:
            yield Difference(Kind.MISSING, place, old[name], "absent")
        else:
            yield Difference(Kind.FURTHER, place, "absent", new[name])


def _lists(old: list[Any], new: list[Any], where: str, depth: int) -> Iterator[Difference]:
    if old == new and _text(old) == _text(new):
        return
    if len(old) != len(new):
        yield Difference(Kind.ITEMS, where, len(old), len(new))
    elif Counter(map(_text, old)) == Counter(map(_text, new)):
        yield Difference(Kind.ORDER, where, "…", "in another order")
    else:
        for one, other in zip(old, new, strict=True):
            yield from _values(one, other, f"{where}[]", depth + 1)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def type_of(value: object) -> str:
    """Return what JSON calls the type of a value (RFC 8259, section 3)."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | Decimal():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "…"
