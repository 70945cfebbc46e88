# SPDX-License-Identifier: MIT
"""E-mail addresses: which texts are one. `spellings` says which ones are the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from app.domain.spellings import LONGEST
from app.domain.users import Address

if TYPE_CHECKING:
    from app.domain.errors import ServiceError

MAX_LOCAL_PART: Final = 64
"""Characters before the at sign: RFC 5321, section 4.5.3.1.1."""

_ASCII_ATEXT: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
_ASCII_ATOM: Final = re.compile(rf"[{_ASCII_ATEXT}]+(?:\.[{_ASCII_ATEXT}]+)*")


def _is_dot_atom(text: str) -> bool:
    """RFC 5322, section 3.2.3, with the characters beyond ASCII of RFC 6532, section 3.2."""
    if text.isascii():
        return _ASCII_ATOM.fullmatch(text) is not None
    # `isprintable` is false for control, format, surrogate, private, unassigned and space characters.
    ascii_only = "".join("x" if ord(character) > 127 else character for character in text)  # noqa: PLR2004 - end of ASCII
    return text.isprintable() and _ASCII_ATOM.fullmatch(ascii_only) is not None


def is_local_part(text: str) -> bool:
    """Whether `text` is an ASCII dot-atom of at most 64 characters (RFC 5322, section 3.4.1)."""
    return len(text) <= MAX_LOCAL_PART and _ASCII_ATOM.fullmatch(text) is not None


def parse_address(text: str, error: type[ServiceError]) -> Address:
    """Return the address as it is stored and used for mail: trimmed and in lower case.

    An address is a bare `local@domain` (the addr-spec of RFC 5322, section 3.4.1, without quoted strings,
    domain literals and comments) of at most 254 characters.

    Raises:
        `error` when `text` is anything else.
    """
    address = text.strip()
    if len(address) > LONGEST:
        raise error
    address = address.lower()
    local, at, domain = address.rpartition("@")
    if not at or len(address) > LONGEST or not _is_dot_atom(local) or not _is_dot_atom(domain):
        raise error
    return Address(address)
