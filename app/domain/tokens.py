# SPDX-License-Identifier: MIT
"""Tokens in the forms that callers send: bare or as `Bearer …`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard

if TYPE_CHECKING:
    from pydantic import SecretStr

UPDATE_METADATA: Final = "update:current_user_metadata"
UPDATE_IDENTITIES: Final = "update:current_user_identities"
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a verified token: `subject` is the token's `sub`, `token` the token as received.

    `username` names the account if the provider's tokens contain usernames. Otherwise it is empty, and `subject` names
    the account.
    """

    subject: str
    token: SecretStr
    username: str = ""


def is_token(value: object) -> TypeGuard[str]:
    """Whether `value` is one word of ASCII, as a token must be that stands in a header (RFC 6750, section 2.1)."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value


def bare(text: str) -> str:
    """Trim `text` and remove a leading `Bearer `, in any case (RFC 6750, section 2.1)."""
    # Trimmed at the end only afterwards: a prefix with nothing behind it is no token, not the token `Bearer`.
    text = text.lstrip()
    return (text[len(_BEARER) :] if text[: len(_BEARER)].lower() == _BEARER else text).strip()
