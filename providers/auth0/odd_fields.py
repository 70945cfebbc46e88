# SPDX-License-Identifier: MIT
"""Reads user fields that break their definition, each by itself, so that an odd one harms no other."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from app.domain.redaction import redact_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.ports import Upstream

_MAX_DIGITS: Final = 64
_REMEMBERED: Final = 4096
_EMPTY: Final[Mapping[str, Any]] = {}


class Oddities:
    """Takes note of fields that do not hold what they should: counts each, logs each once a user and field."""

    def __init__(self, upstream: Upstream) -> None:
        """Take who counts. Of what was logged, the last 4,096 users and fields are remembered."""
        self._upstream = upstream
        self._log_once = functools.lru_cache(maxsize=_REMEMBERED)(_log)

    def note(self, user_id: str, field: str, *, understood: bool) -> None:
        """Count an odd field of a user, and log it the first time."""
        self._upstream.odd(field)
        self._log_once(user_id, field, understood)

    def of(self, user_id: str) -> Callable[[str, bool], None]:
        """Return what takes note of an odd field of that user: its name, and whether it was understood."""
        return lambda field, understood: self.note(user_id, field, understood=understood)


def _log(user_id: str, field: str, understood: bool) -> None:  # noqa: FBT001 - as lru_cache wants it
    if understood:
        logger.info(
            "a field of a user is not of its type and was understood", user=redact_subject(user_id), field=field
        )
    else:
        logger.warning("a field of a user cannot be read and is left out", user=redact_subject(user_id), field=field)


class Fields:
    """The members of a JSON object. What is missing, null or not understood is empty; the last is told to `odd`."""

    def __init__(self, members: object, odd: Callable[[str, bool], None], place: str = "") -> None:
        """Take the object, what takes note of odd fields, and the place of the object in the user."""
        self._members: Mapping[str, Any] = members if isinstance(members, dict) else _EMPTY
        self._odd = odd
        self._place = place

    def text(self, name: str) -> str:
        """Return a text: of a list of texts the first, of a number its exact digits."""
        value = self._members.get(name)
        if isinstance(value, str):
            return value
        read = as_text(value)
        self._note(name, value, understood=read is not None)
        return read or ""

    def flag(self, name: str) -> bool:
        """Return whether the member is `true`."""
        value = self._members.get(name)
        if not isinstance(value, bool):
            self._note(name, value, understood=False)
        return value is True

    def verified(self, name: str) -> bool:
        """Return whether the member is `true`, or the text `true` in any case, as some identity providers send it."""
        value = self._members.get(name)
        if isinstance(value, bool):
            return value
        said = value.lower() if isinstance(value, str) else ""
        self._note(name, value, understood=said in {"true", "false"})
        return said == "true"

    def members(self, name: str) -> Mapping[str, Any]:
        """Return the members of an object as they came. An empty list is an empty object, as some tenants write it."""
        value = self._members.get(name)
        if isinstance(value, dict):
            return value
        self._note(name, value, understood=value == [])
        return _EMPTY

    def fields(self, name: str) -> Fields:
        """Return the members of an object, to be read one by one."""
        return Fields(self.members(name), self._odd, f"{self._place}{name}.")

    def entries(self, name: str) -> list[Fields | None]:
        """Return the objects of a list, None for an entry that is none."""
        value = self._members.get(name)
        if not isinstance(value, list):
            self._note(name, value, understood=value == {})
            return []
        if not all(isinstance(entry, dict) for entry in value):
            self._odd(f"{self._place}{name}", False)  # noqa: FBT003 - as `Oddities.of` says
        place = f"{self._place}{name}."
        return [Fields(entry, self._odd, place) if isinstance(entry, dict) else None for entry in value]

    def _note(self, name: str, value: object, *, understood: bool) -> None:
        if value is not None:
            self._odd(f"{self._place}{name}", understood)


def as_text(value: object) -> str | None:
    """Return the text that a value means: itself, the first of a list of texts, the digits of a number; else None."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return value[0] if value and all(isinstance(entry, str) for entry in value) else None
    if isinstance(value, Decimal):
        # Written without an exponent, so the exponent is bounded.
        return format(value, "f") if abs(value.adjusted()) <= _MAX_DIGITS else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
