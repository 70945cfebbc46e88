# SPDX-License-Identifier: MIT
"""A claim of an address, for as long as the record changes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from loguru import logger

from app.domain.errors import ProviderUnavailable, ServiceError
from providers.authelia.storage.kv import StorageFull, Unreadable
from providers.authelia.storage.users import AddressHeld

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.domain.users import Address
    from providers.authelia.storage.users import Users


@asynccontextmanager
async def claimed(users: Users, username: str, address: Address, error: type[ServiceError]) -> AsyncIterator[None]:
    """Claim the address for the user; if the block fails, give it back, unless the record has it.

    If a write got no answer, it may still succeed, so the claim stays for its minute. Raises `error` when the address
    is somebody else's.
    """
    try:
        revision = await users.claim(username, address)
    except AddressHeld as held:
        raise error from held
    try:
        yield
    except AddressHeld as held:  # the claim was taken over
        raise error from held
    except ServiceError as failed:
        if not isinstance(failed, ProviderUnavailable) or isinstance(failed, StorageFull | Unreadable):
            await _give_back(users, username, address, revision)
        raise


async def _give_back(users: Users, username: str, address: Address, revision: int) -> None:
    try:
        await users.release(username, address, revision)
    except ServiceError as error:
        logger.warning("a claim of an address stays for a minute", error=str(error))
