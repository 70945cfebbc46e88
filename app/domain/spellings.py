# SPDX-License-Identifier: MIT
"""The spellings of an e-mail address: which are the same address, and in which forms others may have stored it.

Addresses are compared case-insensitively, the local part in NFC (Unicode Standard Annex 15; RFC 6532, section 3.1),
the domain as A-labels (IDNA 2008, RFC 5890, after the mapping of Unicode Technical Standard 46). Nothing here changes
stored addresses or mail. Every text is bounded before it is read, so a comparison costs very little.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import idna

LONGEST: Final = 254
"""Characters of an address: RFC 5321, section 4.5.3.1.3, less the angle brackets (RFC 3696, erratum 1690)."""

_LONGEST_LABEL: Final = 63
_KEPT: Final = 1024
"""Answers that are kept: an address of one request is compared many times, and most need no conversion."""

_PREFIX: Final = "xn--"
_HOST: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def comparable(address: str) -> str:
    """Return the form of an address for comparison. For an invalid address, it is equal to no valid one."""
    address = address.strip()
    if len(address) > LONGEST:
        return address
    if address.isascii():
        return address.lower()
    local, at, domain = address.lower().rpartition("@")
    return f"{_nfc(local)}{at}{comparable_domain(domain)}"


def comparable_domain(domain: str) -> str:
    """Return the form of a domain for comparison: A-labels, in lower case.

    A label that IDNA 2008 does not allow but the mapping does, such as an emoji, is encoded too, because the DNS has it
    in this form. A domain that the mapping does not allow, or maps to no domain, stays as it is, in NFC. So does a
    label that is too long.
    """
    domain = domain.strip()
    if len(domain) > LONGEST:
        return domain
    domain = domain.lower()
    return domain if domain.isascii() else _a_labels(domain)


@lru_cache(_KEPT)
def _a_labels(domain: str) -> str:
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False)
    except idna.IDNAError:
        return _nfc(domain)
    if len(mapped) > LONGEST or "@" in mapped:  # one character can be mapped to eighteen, and one to the at sign
        return _nfc(domain)
    return ".".join(_a_label(label) for label in mapped.split("."))


def same(one: str, other: str) -> bool:
    """Whether two texts are the same address."""
    return comparable(one) == comparable(other)


def forms(address: str) -> tuple[str, ...]:
    """Return the forms, seven at most, in which others may have stored a valid address; likely ones first.

    A plain ASCII address has one. Others come as given, then with the local part in NFC and in NFD, each with the
    domain as A-labels, in Unicode (NFC), and in NFD.
    """
    if len(address) > LONGEST or (address.isascii() and _PREFIX not in address):
        return (address,)
    return _forms(address)


@lru_cache(_KEPT)
def _forms(address: str) -> tuple[str, ...]:
    compared = comparable(address)
    local, _, domain = compared.rpartition("@")
    labels = domain.split(".")
    # What is too long for the DNS has no mail, so nobody has it in another form.
    if not _HOST.fullmatch(domain) or max(map(len, labels)) > _LONGEST_LABEL:
        return (address,)
    in_unicode = ".".join(map(_u_label, labels))
    others = (f"{one}@{other}" for one in (local, _nfd(local)) for other in (domain, in_unicode, _nfd(in_unicode)))
    # An A-label can say what no mapping gives, or what is too long as one: that is another address.
    same_ones = (form for form in others if len(form) <= LONGEST and comparable(form) == compared)
    return tuple(dict.fromkeys((address, *same_ones)))


def _a_label(label: str) -> str:
    if label.isascii() or len(label) > _LONGEST_LABEL:
        return label
    return f"{_PREFIX}{label.encode('punycode').decode('ascii')}"


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.startswith(_PREFIX) else label
    except idna.IDNAError:
        return label


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)
