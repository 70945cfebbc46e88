# SPDX-License-Identifier: MIT
r"""Halves of surrogate pairs: JSON can hold one (`"\ud800"`), UTF-8, and so a reply, a record and a hash, cannot.

Other languages write them all the same, as if each was a character (WTF-8); Python's `json` reads that from bytes.
"""

from __future__ import annotations

import re
from typing import Any, Final

_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


def whole(value: Any, data: bytes) -> Any:  # noqa: ANN401 - whatever was read
    """Return `value`, which was read from the JSON text `data`, with U+FFFD for every half of a surrogate pair.

    Only an escape can be such a half. So a text without escapes is not searched.
    """
    return _whole(value) if b"\\u" in data else value


def decoded(data: bytes) -> str:
    """Return UTF-8 as text, with U+FFFD for every half of a surrogate pair. Raises UnicodeDecodeError."""
    text = data.decode("utf-8-sig", "surrogatepass")
    return _HALF_A_PAIR.sub("\ufffd", text) if b"\xed" in data else text


def _whole(value: Any) -> Any:  # noqa: ANN401 - whatever was read
    if isinstance(value, str):
        return _HALF_A_PAIR.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_whole(name): _whole(member) for name, member in value.items()}
    return [_whole(member) for member in value] if isinstance(value, list) else value


def is_unicode(text: str) -> bool:
    """Whether `text` came from well-formed UTF-8 (a body that did not contains surrogates, see `app.bus.bodies`)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
