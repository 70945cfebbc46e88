# SPDX-License-Identifier: MIT
"""Escapes values in paths and search queries, where a character can have a meaning of its own."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

MAX_SEGMENT: Final = 1024
"""Characters of a segment."""

_RELATIVE: Final = frozenset(("", ".", ".."))


class UnsafeSegment(ValueError):
    """The value cannot be a path segment of its own: RFC 3986, section 6.2.2.3, makes it disappear."""


def segment(value: str) -> str:
    """Return `value` percent-encoded as one segment of a path (RFC 3986, section 3.3): `auth0|x` → `auth0%7Cx`.

    Raises:
        UnsafeSegment: the empty string, a dot or two, which no encoding protects, what is no Unicode text, or longer
            than any id.
    """
    if value in _RELATIVE or len(value) > MAX_SEGMENT:
        raise UnsafeSegment
    try:
        return quote(value, safe="")
    except UnicodeEncodeError as error:
        raise UnsafeSegment from error


def phrase(value: str) -> str:
    """Return `value` as a quoted phrase of the search's query language (Lucene), in which nothing has a meaning."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
