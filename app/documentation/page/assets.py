# SPDX-License-Identifier: MIT
"""The files that the page loads: a stylesheet, a script and an icon. Each address changes with the content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

_STATIC: Final = Path(__file__).with_name("static")
_MEDIA_TYPES: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HEADERS: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


@cache
def read(name: str) -> bytes:
    """Return an asset's bytes."""
    return (_STATIC / name).read_bytes()


def address(name: str) -> str:
    """Return where the page finds an asset: relative, so that the page can stand under any prefix."""
    return f"docs/{name}?{hashlib.sha256(read(name)).hexdigest()[:12]}"


def answer(name: str, *, for_ever: bool = False) -> tuple[str, bytes, dict[str, str]]:
    """Return an asset's media type, bytes and headers.

    `for_ever`: it was asked for by its own address. Another one may be that of the page of another version, whose asset
    a browser would then never get.
    """
    return _MEDIA_TYPES[name], read(name), _HEADERS if for_ever else {}


NAMES: Final = tuple(_MEDIA_TYPES)
