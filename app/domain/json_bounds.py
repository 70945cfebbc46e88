# SPDX-License-Identifier: MIT
"""How much a JSON text holds, told without reading it: what it costs to read goes by its values, not by its bytes."""

from __future__ import annotations

from typing import Final

NESTED: Final = (b"[", b"{")
"""What arrays and objects begin with."""

VALUES: Final = (*NESTED, b",")
"""What there is of for every value: one each, or so."""

_ALL: Final = bytes(range(256))


def holds_more(most: int, data: bytes, marks: tuple[bytes, ...]) -> bool:
    """Return whether more than `most` of `marks` stand in a JSON text (RFC 8259) outside of its strings."""
    # Counting costs next to nothing. What is within strings is looked for only where it matters.
    return len(data) > most and _count(data, marks) > most and _count(_outside_strings(data, marks), marks) > most


def _count(data: bytes, marks: tuple[bytes, ...]) -> int:
    return sum(map(data.count, marks))


def _outside_strings(data: bytes, marks: tuple[bytes, ...]) -> bytes:
    """Return what of the marks stands outside of strings; a text can consist of strings, so each is to cost little."""
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept = data.translate(None, _ALL.translate(None, b'"' + b"".join(marks)))
    # Two quotes side by side leave what is within a string, and what is not, as it was.
    return b"".join(kept.replace(b'""', b"").split(b'"')[::2])
