# SPDX-License-Identifier: MIT
"""The application that users sign in to: the profile client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class ProfileClient:
    """Client id and secret of the profile application."""

    client_id: str
    secret: SecretStr

    def fields(self) -> dict[str, str]:
        """Return the fields by which the application authenticates (RFC 6749, section 2.3.1)."""
        return {"client_id": self.client_id, "client_secret": self.secret.get_secret_value()}
