# SPDX-License-Identifier: MIT
"""Username to subject identifier, for providers that do not store it."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import base58

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,58}[A-Za-z0-9]")
_LOOKS_GENERATED: Final = re.compile(r"[0-9a-f]{24,60}")


def derive(username: str) -> str:
    """Return the subject identifier that Auth0 gives to the database user of that name.

    `auth0|` and the username itself, if it is safe as an id and does not look like a generated one;
    otherwise `auth0|` and the base58 encoding (Bitcoin alphabet) of the SHA-512 digest of its UTF-8 bytes.
    """
    if _PLAIN.fullmatch(username) and not _LOOKS_GENERATED.fullmatch(username):
        return f"auth0|{username}"
    digest = hashlib.sha512(username.encode("utf-8")).digest()
    return f"auth0|{base58.b58encode(digest).decode('ascii')}"
