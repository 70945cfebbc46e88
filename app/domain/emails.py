# SPDX-License-Identifier: MIT
"""A user's e-mail addresses: reading them, choosing the primary one, verifying a further one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import (
    AlternateEmailRequired,
    AuthTokenRequired,
    EmailAndCodeRequired,
    EmailRequired,
    InvalidEmail,
    InvalidEmailFormat,
    NotLinked,
    NotVerified,
    fail,
    require,
)
from app.domain.lookups import refuse_taken
from app.domain.spellings import same
from app.domain.tokens import UPDATE_IDENTITIES, bare
from app.domain.users import Address

if TYPE_CHECKING:
    from app.domain.ports import Accounts, Callers, Directory, EmailVerification, VerifiedEmail
    from app.domain.users import User


class Emails:
    """The addresses of an account."""

    def __init__(self, callers: Callers, directory: Directory, accounts: Accounts) -> None:
        """Take the provider's capabilities."""
        self._callers = callers
        self._directory = directory
        self._accounts = accounts

    async def read(self, reference: str) -> User:
        """Return the user meant by a token, a subject identifier or a username.

        Raises AuthTokenRequired, UserNotFound, and what verifying a token raises.
        """
        return await self._directory.resolve(require(bare(reference), AuthTokenRequired))

    async def set_primary(self, token: str, email: str) -> None:
        """Make a verified, linked address the primary one; the old one stays usable as an alternate.

        Raises AuthTokenRequired, EmailRequired, InvalidEmailFormat, NotLinked, NotVerified, and what verifying
        a token raises.
        """
        token = require(bare(token), AuthTokenRequired)
        address = parse_address(require(email.strip(), EmailRequired), InvalidEmailFormat)
        caller = await self._callers.verify(token, scope=UPDATE_IDENTITIES)
        user = await self._directory.of_caller(caller)
        if same(user.primary_email, address):
            return
        identity = user.email_identity(address) or fail(NotLinked)
        require(identity.email_verified, NotVerified)
        # As it was verified: the provider may take another spelling for another address.
        verified = parse_address(identity.email, NotLinked)
        await self._accounts.set_primary(user, verified, keep=_to_keep(user))


def _to_keep(user: User) -> Address | None:
    """Return the current primary address, or None if there is none or an e-mail identity has it already."""
    primary = Address(user.primary_email.strip())
    return primary if primary and not user.email_identity(primary) else None


class EmailLinking:
    """Proof by a one-time code that an address belongs to the user."""

    def __init__(self, directory: Directory, verification: EmailVerification) -> None:
        """Take the provider's capabilities."""
        self._directory = directory
        self._verification = verification

    async def send_verification(self, email: str) -> None:
        """Send a code to an address that no account has yet.

        Raises AlternateEmailRequired, InvalidEmail, EmailAlreadyLinked, TooManyCodes, TooManyAttempts.
        """
        require(email, AlternateEmailRequired)
        address = parse_address(email, InvalidEmail)
        await refuse_taken(self._directory, address)
        await self._verification.send_code(address)

    async def verify(self, email: str, code: str) -> VerifiedEmail:
        """Exchange the code for tokens that prove the address.

        Raises InvalidEmail, EmailAndCodeRequired, EmailAlreadyLinked, and the errors of codes.
        """
        address = parse_address(email, InvalidEmail)
        code = require(code.strip(), EmailAndCodeRequired)
        await refuse_taken(self._directory, address)
        return await self._verification.redeem(address, code)
