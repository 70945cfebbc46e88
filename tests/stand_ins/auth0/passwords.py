"""The database connection's password policy, with the refusals that the tenant words."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0.web import api_refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORTEST = 8
COMMON = frozenset({"password", "password1", "password123", "12345678", "qwertyuiop"})


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return hashlib.sha256(password.encode("utf-8", "surrogatepass")).hexdigest()


def check_strength(password: str, profile: dict[str, Any], former: Iterable[str] = ()) -> None:
    """Raise the tenant's refusal (400) of a password that is too short, too common, used before, or personal."""
    if len(password) < SHORTEST:
        raise api_refusal(400, "PasswordStrengthError: Password is too weak")
    if password.lower() in COMMON:
        raise api_refusal(400, "PasswordDictionaryError: Password is too common")
    if hashed(password) in former:
        raise api_refusal(400, "PasswordHistoryError: Password has previously been used")
    personal = {str(profile.get("username", "")), str(profile.get("email", "")).partition("@")[0]}
    if any(part and part.lower() in password.lower() for part in personal):
        raise api_refusal(400, "PasswordNoUserInfoError: Password contains user information")
