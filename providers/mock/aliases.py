# SPDX-License-Identifier: MIT
"""Aliases in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.errors import AliasNotAvailable
from providers.mock.profiles import email_identity

if TYPE_CHECKING:
    from app.domain.users import Address, User
    from providers.mock.store import Store


class MockAliases:
    """Gives out aliases: e-mail identities that cannot be unlinked."""

    def __init__(self, store: Store) -> None:
        """Take the users."""
        self._store = store

    async def claim(self, user: User, address: Address) -> None:
        """Add the alias, unless somebody has it by now."""
        if self._store.owner(address) is not None:
            raise AliasNotAvailable
        entry = self._store.change(
            user.user_id, lambda user: replace(user, identities=(*user.identities, email_identity(address)))
        )
        entry.aliases |= {str(address)}
