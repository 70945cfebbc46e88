# SPDX-License-Identifier: MIT
"""What generated parts of pages are made of."""

from __future__ import annotations

from pathlib import Path

TOP = Path(__file__).parents[2]


def table(head, rows):
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += ["".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows]
    return "\n".join(lines)
