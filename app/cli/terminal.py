# SPDX-License-Identifier: MIT
"""What several commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GAP = "   "


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> str:
    """Return `rows` in aligned columns, without white space at the ends of lines."""
    rows = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join((indent + line).rstrip() for line in lines)


def printable(text: str) -> str:
    """Return `text` with control characters spelled out: what came over the wire rules no terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
