# SPDX-License-Identifier: MIT
"""Changing metadata and the primary e-mail in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import SetPrimaryFailed
from app.domain.users import EMAIL, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.mock.store import Store


def email_identity(address: Address) -> Identity:
    """Return a verified e-mail identity, whose id is its address."""
    return Identity(provider=EMAIL, identity_id=address, connection=EMAIL, email=address, email_verified=True)


class MockProfiles:
    """Changes metadata."""

    def __init__(self, store: Store) -> None:
        """Take the users."""
        self._store = store

    async def update_metadata(self, caller: Caller, change: Mapping[str, str]) -> User:
        """Set the fields of `change`, return the user."""
        return self._store.change(
            caller.subject, lambda user: replace(user, user_metadata={**user.user_metadata, **change})
        ).user


class MockAccounts:
    """Changes the primary e-mail; the new one stays an identity."""

    def __init__(self, store: Store) -> None:
        """Take the users."""
        self._store = store

    async def set_primary(self, user: User, address: Address, *, keep: Address | None) -> None:
        """Make `address` the primary e-mail, keep the old one as an identity."""
        kept = () if keep is None else (email_identity(parse_address(keep, SetPrimaryFailed)),)

        def change(user: User) -> User:
            return replace(user, primary_email=address, identities=(*user.identities, *kept))

        self._store.change(user.user_id, change)
