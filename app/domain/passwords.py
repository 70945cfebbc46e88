# SPDX-License-Identifier: MIT
"""Passwords: changing one's own, and requesting a reset link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import CurrentPasswordRequired, NewPasswordRequired, NoEmailAddress, TokenRequired, require
from app.domain.tokens import UPDATE_METADATA, bare

if TYPE_CHECKING:
    from app.domain.ports import Callers, Directory, ResetLinks
    from app.domain.ports import Passwords as PasswordPort


class Passwords:
    """Changes of passwords. A password is used exactly as sent; only a blank one counts as missing."""

    def __init__(self, callers: Callers, passwords: PasswordPort) -> None:
        """Take the provider's capabilities."""
        self._callers = callers
        self._passwords = passwords

    async def update(self, token: str, current: str, new: str) -> None:
        """Set the caller's password.

        Raises TokenRequired, CurrentPasswordRequired, NewPasswordRequired, IncorrectPassword, and what verifying a
        token raises.
        """
        token = require(bare(token), TokenRequired)
        require(current.strip(), CurrentPasswordRequired)
        require(new.strip(), NewPasswordRequired)
        caller = await self._callers.verify(token, scope=UPDATE_METADATA)
        await self._passwords.change(caller, current, new)


class PasswordResets:
    """Links to replace a forgotten password."""

    def __init__(self, callers: Callers, directory: Directory, links: ResetLinks) -> None:
        """Take the provider's capabilities."""
        self._callers = callers
        self._directory = directory
        self._links = links

    async def send_link(self, token: str) -> None:
        """Mail a link to the caller's primary e-mail. Raises TokenRequired, NoEmailAddress, and what a token raises."""
        token = require(bare(token), TokenRequired)
        caller = await self._callers.verify(token, scope=UPDATE_METADATA)
        user = await self._directory.of_caller(caller)
        await self._links.send(parse_address(user.primary_email, NoEmailAddress))
