# SPDX-License-Identifier: MIT
"""Aliases: e-mail identities that the platform manages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.aliases import address_in
from app.domain.errors import AliasNotAvailable, AlreadyClaimed, LinkEmailFailed, ProviderUnavailable, ServiceError
from app.domain.redaction import redact_subject
from app.domain.spellings import same

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.users import Address, User
    from providers.auth0.mapping import WireUser
    from providers.auth0.stubs import Stubs

SETTLED: Final = 60.0
"""Seconds after which a stub that nobody linked was left by a claim that died, and is no claim in flight."""

_MANAGED: Final = {"app_metadata": {"system_managed": True}}


class Auth0Aliases:
    """Gives out aliases.

    The tenant makes one stub for each address, so an address is given once. The order of the identities decides which
    alias in a domain an account keeps: each claim reads it after linking, and takes its own back if another one comes
    before. So the first stays, whatever the others do.
    """

    def __init__(self, stubs: Stubs, now: Callable[[], float]) -> None:
        """Take what makes stubs, and the clock (Unix seconds)."""
        self._stubs = stubs
        self._now = now

    async def claim(self, user: User, address: Address) -> None:
        """Add the alias, or nothing. Raises AliasNotAvailable, AlreadyClaimed, LinkEmailFailed.

        When the account cannot be read after linking the alias stays and the failure is that of the read: to take it
        back unseen could leave the account with none.
        """
        stub = await self._stubs.make(address, LinkEmailFailed, _MANAGED)
        if stub is None:
            stub = await self._stubs.left_behind(address, self._was_left)
        if stub is None:
            raise AliasNotAvailable
        try:
            await self._stubs.link(user, stub, LinkEmailFailed)
        except ServiceError as error:
            if not await self._stubs.remove(stub, user, lambda made: made.system_managed):
                raise LinkEmailFailed().blamed_on(error.fault) from (error.__cause__ or error)
            if not isinstance(error, ProviderUnavailable):  # a refusal: another claim of the account has linked it
                raise AlreadyClaimed from error
        await self._keep_first(user, address, stub)

    async def _keep_first(self, user: User, address: Address, stub: str) -> None:
        """Take the alias back unless it is the address that the account has in that domain. Raises AlreadyClaimed."""
        try:
            there = address_in(await self._stubs.account(user), address.rpartition("@")[2])
        except ServiceError:
            logger.error("whether an account has another alias in the domain is unknown", stub=redact_subject(stub))
            raise
        if not there:  # nothing comes before it, so nothing is taken back
            logger.error("an alias that was linked is not on the account", stub=redact_subject(stub))
            raise LinkEmailFailed
        if not same(there, address):
            await self._stubs.take_back(stub, user, address)
            raise AlreadyClaimed

    def _was_left(self, stub: WireUser) -> bool:
        created = stub.created()
        return stub.system_managed and created is not None and created < self._now() - SETTLED
