# SPDX-License-Identifier: MIT
"""Aliases in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.aliases import address_in
from app.domain.errors import AliasNotAvailable, AlreadyClaimed
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
        """Add the alias, unless somebody has it, or the account has another, by now."""
        if address_in(self._store.by_subject(user.user_id).user, address.rpartition("@")[2]):
            raise AlreadyClaimed
        if self._store.owner(address) is not None:
            raise AliasNotAvailable
        entry = self._store.change(
            user.user_id, lambda user: replace(user, identities=(*user.identities, email_identity(address)))
        )
        entry.aliases |= {str(address)}
