# SPDX-License-Identifier: MIT
"""The database connection's password policy, with the refusals that the tenant words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0.web import api_refusal

if TYPE_CHECKING:
    from collections.abc import Iterable


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Policy:
    """What a new password must be like; everything but the length can be left out."""

    shortest: int = 8
    history: bool = True
    dictionary: frozenset[str] = frozenset({"password", "password1", "password123", "12345678", "qwertyuiop"})
    no_personal_data: bool = True

    def check(self, password: str, profile: dict[str, Any], former: Iterable[str | None] = ()) -> None:
        """Raise the tenant's refusal (400) of a password that is too short, too common, used before, or personal."""
        if len(password) < self.shortest:
            raise api_refusal(400, "PasswordStrengthError: Password is too weak")
        if password.lower() in self.dictionary:
            raise api_refusal(400, "PasswordDictionaryError: Password is too common")
        if self.history and hashed(password) in former:
            raise api_refusal(400, "PasswordHistoryError: Password has previously been used")
        personal = {str(profile.get("username", "")), str(profile.get("email", "")).partition("@")[0]}
        if self.no_personal_data and any(part and part.lower() in password.lower() for part in personal):
            raise api_refusal(400, "PasswordNoUserInfoError: Password contains user information")
