# SPDX-License-Identifier: MIT
"""Changes users' metadata, with their own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.errors import UpdateFailed
from providers.auth0.mapping import to_user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.tokens import Caller
    from app.domain.users import User
    from providers.auth0.management import Management


class Auth0Profiles:
    """Changes metadata."""

    def __init__(self, management: Management) -> None:
        """Take the Management API."""
        self._management = management

    async def update_metadata(self, caller: Caller, change: Mapping[str, str]) -> User:
        """Set the fields of `change`; the tenant merges them into what it has."""
        answer = await self._management.update(
            caller.subject, {"user_metadata": dict(change)}, token=caller.token, fallback=UpdateFailed
        )
        return to_user(self._management.updated(answer, caller.subject))
