# SPDX-License-Identifier: MIT
"""Output that several commands share: tables, commands, printable text."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH: Final = 80
"""Columns of a terminal, as wide as it is when nobody has made it wider."""

_GAP: Final = "   "
_CONTINUED: Final = " \\"
_MORE: Final = "…"


def table(rows: Iterable[Sequence[str]], indent: str = "  ", width: int | None = None) -> str:
    """Return `rows` in aligned columns, without white space at the ends of lines.

    With `width` no line is longer: what is too long in the widest columns is cut.
    """
    rows = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    while width and sum(widths) + len(_GAP) * (len(widths) - 1) + len(indent) > width:
        widths[widths.index(max(widths))] -= 1
    lines = (_GAP.join(_cut(cell, most).ljust(most) for cell, most in zip(row, widths, strict=True)) for row in rows)
    return "\n".join((indent + line).rstrip() for line in lines)


def command(words: Sequence[str], indent: str = "  ", width: int = WIDTH) -> str:
    """Return a command as it can be pasted into a shell, on as many lines as it needs; a longer word is left whole."""
    lines, line = [], indent + shlex.quote(words[0])
    for word in map(shlex.quote, words[1:]):
        if len(line) + 1 + len(word) + len(_CONTINUED) > width:
            lines.append(line + _CONTINUED)
            line = f"{indent}    {word}"
        else:
            line += f" {word}"
    return "\n".join([*lines, line])


def _cut(cell: str, most: int) -> str:
    return cell if len(cell) <= most else cell[: most - 1] + _MORE


def printable(text: str) -> str:
    """Return `text` with control characters spelled out: what came over the wire rules no terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def end_output() -> None:
    """Write what is left for standard output; what cannot be written changes no exit status."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        give_up_output()


def give_up_output() -> None:
    """Let standard output lead nowhere after a failed write.

    At its end Python would write what is left in the buffer, fail again, and change the exit status.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
