# SPDX-License-Identifier: MIT
"""Passwords in memory."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from app.domain.errors import IncorrectPassword

if TYPE_CHECKING:
    from app.domain.tokens import Caller
    from app.domain.users import Address
    from providers.mock.store import Store


class MockPasswords:
    """Changes passwords; a user without one accepts anything as the current password."""

    def __init__(self, store: Store) -> None:
        """Take the users."""
        self._store = store

    async def change(self, caller: Caller, current: str, new: str) -> None:
        """Set the password, after checking the current one."""
        entry = self._store.by_subject(caller.subject)
        if entry.password is not None and not _same(entry.password, current):
            raise IncorrectPassword
        entry.password = new


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


class MockResetLinks:
    """Pretends to send password reset links: there is nobody to receive one."""

    async def send(self, address: Address) -> None:
        """Send nothing."""
