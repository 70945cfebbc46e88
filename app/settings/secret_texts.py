# SPDX-License-Identifier: MIT
"""Keys and credentials as people's tools leave them: byte order marks, blank lines, CRLF, spaces around.

Each raises ValueError for what is none, and says nothing of what was given.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_BOM: Final = "\ufeff"
_JWT: Final = "BEGIN NATS USER JWT"
_SEED: Final = "BEGIN USER NKEY SEED"
LARGEST: Final = 1024 * 1024
"""Bytes of a file; a JWT with many permissions has tens of thousands."""


class Credentials(NamedTuple):
    """What a NATS credentials file holds."""

    jwt: str
    seed: str


def bare(text: str) -> str:
    """Return the text without a byte order mark, and without what is blank around it."""
    return text.strip().removeprefix(_BOM).strip()


def pem_of(text: str) -> str:
    """Return a PEM text, which may be given as base64, or on one line with a backslash and `n` for its line ends."""
    text = bare(text)
    if not text.startswith("-----"):
        text = bare(base64.b64decode("".join(text.split()), validate=True).decode())
    lines = text.replace("\\r", "").replace("\\n", "\n").splitlines()
    return "\n".join(line.strip() for line in lines if line.strip()) + "\n"


def read_credentials(path: Path) -> Credentials:
    """Return JWT and seed of a credentials file, each the first line with anything on it below its own mark."""
    try:
        with path.open("rb") as file:
            lines = [line for line in map(bare, file.read(LARGEST).decode().splitlines()) if line]
    except (OSError, UnicodeError):
        lines = []
    after = {mark: lines[n + 1] for n, line in enumerate(lines[:-1]) for mark in (_JWT, _SEED) if mark in line}
    if any(after.get(mark, "-").startswith("-") for mark in (_JWT, _SEED)):
        raise ValueError("holds no user JWT and seed")
    return Credentials(after[_JWT], after[_SEED])
