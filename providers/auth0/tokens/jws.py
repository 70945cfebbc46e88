# SPDX-License-Identifier: MIT
"""Compact JSON Web Signatures (RFC 7515, section 3.1), read strictly: what is odd is no token."""

from __future__ import annotations

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final

from app.domain.identity_tokens import MAX_TOKEN
from app.domain.json_bounds import no_constant, no_name_twice

_SEGMENTS: Final = 3
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class NotAToken(ValueError):
    """The text is no compact JWS, or not a strict one."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A token taken apart; nothing is verified."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def looks_like_token(text: str) -> bool:
    """Whether `text` has three base64url parts with dots between, the first of which holds a JSON object.

    A first part beyond all tokens is none.
    """
    segments = text.split(".", _SEGMENTS)
    if (
        len(segments) != _SEGMENTS
        or len(segments[0]) > MAX_TOKEN
        or not all(_BASE64URL.fullmatch(part) for part in segments)
    ):
        return False
    head = segments[0]
    try:
        return isinstance(json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4))), dict)
    except (ValueError, binascii.Error, RecursionError):
        return False


def parse(token: str) -> Jws:
    """Take a token apart.

    The parts are base64url without padding, in the one spelling that encoding gives (RFC 7515, section 2); header and
    claims are JSON objects without a repeated name (RFC 7515, section 4) and without numbers that JSON has not.

    Raises:
        NotAToken: it is anything else, or longer than 16 KiB.
    """
    if len(token) > MAX_TOKEN or not token.isascii():
        raise NotAToken
    segments = token.split(".", _SEGMENTS)
    if len(segments) != _SEGMENTS:
        raise NotAToken
    header, claims, signature = (_decode(part) for part in segments)
    signed = token[: token.rindex(".")].encode("ascii")
    return Jws(_object(header), _object(claims), signed, signature)


def _decode(part: str) -> bytes:
    if not part or not _BASE64URL.fullmatch(part):
        raise NotAToken
    try:
        data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error) as error:
        raise NotAToken from error
    if urlsafe_b64encode(data).rstrip(b"=") != part.encode("ascii"):
        raise NotAToken
    return data


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_name_twice, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise NotAToken from error
    if not isinstance(value, dict):
        raise NotAToken
    return value
