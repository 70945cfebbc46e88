# SPDX-License-Identifier: MIT
"""Identities of an account: listing, linking and unlinking them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.errors import (
    AuthTokenRequired,
    IdentityIdRequired,
    IdentityNotFound,
    IdentityTokenOfAccount,
    IdentityTokenRequired,
    IdentityTokenWithoutSubject,
    ProviderRequired,
    require,
)
from app.domain.identity_tokens import unverified_subject
from app.domain.tokens import UPDATE_IDENTITIES, bare

if TYPE_CHECKING:
    from app.domain.ports import Callers, Directory, Identities
    from app.domain.users import Identity

_LONGEST: Final = 1024
"""Maximum number of characters of a provider's name, and of an identity's id."""


class Linking:
    """The identities of an account."""

    def __init__(self, callers: Callers, directory: Directory, identities: Identities) -> None:
        """Take the provider's capabilities."""
        self._callers = callers
        self._directory = directory
        self._identities = identities

    async def list(self, reference: str) -> tuple[Identity, ...]:
        """Return the identities of the user meant by a token, a subject identifier or a username, in stored order.

        Raises AuthTokenRequired, UserNotFound, and what verifying a token raises.
        """
        return (await self._directory.resolve(require(bare(reference), AuthTokenRequired))).identities

    async def link(self, token: str, identity_token: str) -> None:
        """Link the identity that `identity_token` proves to the caller's account.

        Raises AuthTokenRequired, IdentityTokenRequired, IdentityTokenWithoutSubject, IdentityTokenOfAccount,
        InvalidIdentityToken, IdentityLinkedElsewhere, and what verifying a token raises.
        """
        token = require(bare(token), AuthTokenRequired)
        identity_token = require(bare(identity_token), IdentityTokenRequired)
        subject = require(unverified_subject(identity_token), IdentityTokenWithoutSubject)
        if subject.startswith("auth0|"):
            raise IdentityTokenOfAccount
        caller = await self._callers.verify(token, scope=UPDATE_IDENTITIES)
        await self._identities.link(caller, identity_token, subject)

    async def unlink(self, token: str, provider: str, identity_id: str) -> None:
        """Remove an identity from the caller's account.

        Raises AuthTokenRequired, ProviderRequired, IdentityIdRequired, SystemManagedIdentity, IdentityNotFound,
        and what verifying a token raises.
        """
        token = require(bare(token), AuthTokenRequired)
        caller = await self._callers.verify(token, scope=UPDATE_IDENTITIES)
        provider = require(provider.strip(), ProviderRequired)
        identity_id = require(identity_id.strip(), IdentityIdRequired)
        if max(len(provider), len(identity_id)) > _LONGEST:  # before anything that costs
            raise IdentityNotFound
        await self._identities.unlink(caller, provider, identity_id)
