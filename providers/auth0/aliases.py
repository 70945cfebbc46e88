# SPDX-License-Identifier: MIT
"""Aliases: e-mail identities that the platform manages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from app.domain.errors import AliasNotAvailable, LinkEmailFailed, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.users import Address, User
    from providers.auth0.mapping import WireUser
    from providers.auth0.stubs import Stubs

SETTLED: Final = 60.0
"""Seconds after which a stub that nobody linked was left by a claim that died, and is no claim in flight."""

_MANAGED: Final = {"app_metadata": {"system_managed": True}}


class Auth0Aliases:
    """Gives out aliases. That an address is given once is decided by the tenant, which makes one stub of it."""

    def __init__(self, stubs: Stubs, now: Callable[[], float] = time.time) -> None:
        """Take what makes stubs, and the clock (Unix seconds)."""
        self._stubs = stubs
        self._now = now

    async def claim(self, user: User, address: Address) -> None:
        """Add the alias, or nothing. Raises AliasNotAvailable, LinkEmailFailed."""
        stub = await self._stubs.make(address, LinkEmailFailed, _MANAGED)
        if stub is None:
            stub = await self._stubs.left_behind(address, self._was_left)
        if stub is None:
            raise AliasNotAvailable
        try:
            await self._stubs.link(user, stub, LinkEmailFailed)
        except ServiceError as error:
            if not await self._stubs.remove(stub, user, _is_managed):
                raise LinkEmailFailed().blamed_on(error.fault) from (error.__cause__ or error)

    def _was_left(self, stub: WireUser) -> bool:
        created = stub.created()
        return stub.system_managed and created is not None and created < self._now() - SETTLED


def _is_managed(stub: WireUser) -> bool:
    return stub.system_managed
