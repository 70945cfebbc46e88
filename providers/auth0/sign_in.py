# SPDX-License-Identifier: MIT
"""Signing in: the application that users sign in to, and what the token endpoint answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.auth0.tenant import errors
from providers.http import BrokenAnswer

if TYPE_CHECKING:
    from pydantic import SecretStr

    from providers.auth0.tenant.answers import Answer


@dataclass(frozen=True, slots=True)
class ProfileClient:
    """Client id and secret of the profile application."""

    client_id: str
    secret: SecretStr

    def fields(self) -> dict[str, str]:
        """Return the fields by which the application authenticates (RFC 6749, section 2.3.1)."""
        return {"client_id": self.client_id, "client_secret": self.secret.get_secret_value()}


def access_token(operation: str, answer: Answer) -> str:
    """Return the token in a success of the token endpoint (RFC 6749, section 5.1).

    Raises ProviderUnavailable when it holds none: it comes from something that stands between, and shows nothing.
    """
    content = answer.json()
    token = content.get("access_token") if isinstance(content, dict) else None
    if not isinstance(token, str) or not token:
        raise errors.of_exception(operation, BrokenAnswer("without a token")).error
    return token
