# SPDX-License-Identifier: MIT
"""What the tenant answers, and the reading of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD: Final = ("retry-after", "x-ratelimit-reset")
"""The headers of a refusal that are looked at."""

_OK: Final = range(200, 300)
_UNREAD: Final = object()


class BrokenAnswer(Exception):
    """What came is not what was to come: cut off, too long, packed, no JSON, of a wrong shape. Holds none of it."""


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
        """Return the body as JSON. Numbers keep every digit: `int` or `Decimal`. Raises BrokenAnswer."""
        if self._content is _UNREAD:
            try:
                content = json.loads(self.body, parse_float=Decimal, parse_constant=_refuse)
                self._content = _whole(content) if b"\\u" in self.body else content
            except (ValueError, ArithmeticError, RecursionError):
                raise BrokenAnswer("no JSON") from None
        return self._content

    def text_of(self, *names: str) -> str:
        """Return the string values of these members, joined; the empty string when the body is no JSON object."""
        try:
            content = self.json()
        except BrokenAnswer:
            return ""
        values = [content.get(name) for name in names] if isinstance(content, dict) else []
        return " ".join(value for value in values if isinstance(value, str))


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    """Return `value` with U+FFFD for every half of a surrogate pair: JSON can hold it, UTF-8 and so a reply cannot."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(member) for name, member in value.items()}
    return [_whole(member) for member in value] if isinstance(value, list) else value


def _refuse(_: str) -> Any:  # noqa: ANN401 - as json.loads wants it
    raise ValueError("not JSON (RFC 8259, section 6)")
