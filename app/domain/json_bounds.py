# SPDX-License-Identifier: MIT
"""Counts the values of a JSON text without parsing it: parsing time depends on values, not on bytes.

And the hooks of `json.loads` that refuse what RFC 8259 does not have, or what two readers may take in two ways.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

NESTED: Final = (b"[", b"{")
"""The characters at the beginning of arrays and objects."""

VALUES: Final = (*NESTED, b",")
"""The characters that occur about once for each value."""

_ALL: Final = bytes(range(256))


def holds_more(most: int, data: bytes, marks: tuple[bytes, ...]) -> bool:
    """Return whether a JSON text (RFC 8259) has more than `most` of `marks` outside of its strings."""
    # Counting costs next to nothing. What is within strings is looked for only where it matters.
    return len(data) > most and _count(data, marks) > most and _count(_outside_strings(data, marks), marks) > most


def values(data: bytes) -> int:
    """Return about how many values a JSON text holds."""
    return _count(_outside_strings(data, VALUES), VALUES) + 1


def no_constant(constant: str) -> NoReturn:
    """Raise ValueError for `NaN` and `Infinity`, which are no JSON (section 6): for `parse_constant`."""
    raise ValueError(constant)


def no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raise ValueError when a name occurs twice in it (section 4): for `object_pairs_hook`."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _count(data: bytes, marks: tuple[bytes, ...]) -> int:
    return sum(map(data.count, marks))


def _outside_strings(data: bytes, marks: tuple[bytes, ...]) -> bytes:
    """Return the marks outside of strings. A text can consist of strings, so each must cost little."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept = data.translate(None, _ALL.translate(None, b'"' + b"".join(marks)))
    # Two quotes side by side leave what is within a string, and what is not, as it was.
    return b"".join(kept.replace(b'""', b"").split(b'"')[::2])
