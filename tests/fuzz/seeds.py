# SPDX-License-Identifier: MIT
"""The inputs that are kept: `tests/fuzz/seeds/<target>/`, a file each."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("seeds")


def seeds(target: str) -> dict[str, bytes]:
    """Return the inputs of a target by the names of their files."""
    return {path.name: path.read_bytes() for path in sorted((FOLDER / target).iterdir())}
