# SPDX-License-Identifier: MIT
"""Places in the stream of events: opaque texts of the tenant, which go back to it in an address."""

from __future__ import annotations

from typing import Final

MAX_OFFSET: Final = 2048
"""Characters of an offset that is taken: what holds it, and the address that it stands in, are bounded."""


def usable_offset(value: object) -> str:
    """Return an offset as it came, the empty text for anything that is none: it is printable ASCII, not too long."""
    if not isinstance(value, str) or len(value) > MAX_OFFSET or not value.isascii() or not value.isprintable():
        return ""
    return value
