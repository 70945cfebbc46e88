# SPDX-License-Identifier: MIT
"""The primary e-mail of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import Fault, ServiceError, SetPrimaryFailed

if TYPE_CHECKING:
    from app.domain.users import Address, User
    from providers.auth0.management import Management
    from providers.auth0.stubs import Stubs


class Auth0Accounts:
    """Changes the primary e-mail; the old one is kept as an e-mail identity first."""

    def __init__(self, management: Management, stubs: Stubs) -> None:
        """Take the Management API and what makes e-mail identities."""
        self._management = management
        self._stubs = stubs

    async def set_primary(self, user: User, address: Address, *, keep: Address | None) -> None:
        """Make `address` the primary e-mail. When the last step fails, what was kept stays."""
        if keep is not None:
            await self._keep(user, parse_address(keep, SetPrimaryFailed))
        change = {"email": address, "email_verified": True}
        await self._management.update(user.user_id, change, fallback=SetPrimaryFailed)

    async def _keep(self, user: User, address: Address) -> None:
        made = await self._stubs.make(address, SetPrimaryFailed)
        stub = made or await self._stubs.left_behind(address, lambda _: True)
        try:
            if stub is None:
                raise SetPrimaryFailed().blamed_on(Fault.CONFLICT)
            await self._stubs.link(user, stub, SetPrimaryFailed)
        except ServiceError:
            # A stub that was there before is somebody's way to sign in: it stays. But the same request, sent twice, may
            # have made and linked it meanwhile.
            linked = self._stubs.remove(made, user, lambda _: True) if made else self._stubs.linked(user, address)
            if not await linked:
                raise
