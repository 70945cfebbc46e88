# SPDX-License-Identifier: MIT
"""The primary e-mail of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.addresses import parse_address
from app.domain.errors import Fault, ServiceError, SetPrimaryFailed

if TYPE_CHECKING:
    from app.domain.users import Address, User
    from providers.auth0.management import Management
    from providers.auth0.mapping import WireUser
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
        stub = await self._stubs.make(address, SetPrimaryFailed)
        ours = stub is not None
        if stub is None:
            stub = await self._stubs.left_behind(address, _any)
        if stub is None:
            raise SetPrimaryFailed().blamed_on(Fault.CONFLICT)
        try:
            await self._stubs.link(user, stub, SetPrimaryFailed)
        except ServiceError:
            # A stub that was there before is somebody's way to sign in: it stays.
            if not ours or not await self._stubs.remove(stub, user, _any):
                raise


def _any(_: WireUser) -> bool:
    return True
