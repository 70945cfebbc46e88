# SPDX-License-Identifier: MIT
"""Positions in the stream of events: opaque texts of the tenant, which are sent back to it in a URL."""

from __future__ import annotations

from typing import Final

MAX_OFFSET: Final = 2048
"""Maximum number of characters of an offset: the lease's record and the URL that contain it are bounded."""


def usable_offset(value: object) -> str:
    """Return a valid offset unchanged, else the empty string. Valid: printable ASCII, not too long."""
    if not isinstance(value, str) or len(value) > MAX_OFFSET or not value.isascii() or not value.isprintable():
        return ""
    return value
