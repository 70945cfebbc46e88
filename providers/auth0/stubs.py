# SPDX-License-Identifier: MIT
"""Users that consist of an address only, made to be linked to an account as an e-mail identity.

Two writes make an identity: a stub, and the link that takes it into the account. If the link fails, the stub would
block the address. So it is checked and removed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from loguru import logger

from app.domain.deadline import current_deadline
from app.domain.errors import (
    Fault,
    IdentityNotFound,
    LinkEmailFailed,
    ProviderUnavailable,
    ServiceError,
    UnlinkFailed,
    UserNotFound,
)
from app.domain.redaction import redact_email, redact_subject
from app.domain.spellings import same
from app.domain.users import EMAIL
from providers.auth0.mapping import to_user
from providers.auth0.tenant.errors import CONFLICT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.domain.users import Address, User
    from providers.auth0.management import Management
    from providers.auth0.mapping import WireUser
    from providers.auth0.tenant.budget import Budget

T = TypeVar("T")

_NO_EXTRAS: Mapping[str, Any] = {}
_TRIES: Final = 3
_PAUSE: Final = 0.2
"""Seconds between two tries of a step that undoes a write."""


class Stubs:
    """Makes, links and removes stubs."""

    def __init__(self, management: Management, budget: Budget) -> None:
        """Take the Management API and how long undoing may take."""
        self._management = management
        self._budget = budget

    async def make(
        self, address: Address, fallback: type[ServiceError], extras: Mapping[str, Any] = _NO_EXTRAS
    ) -> str | None:
        """Make a stub, return its id; None when there is a user with that address in the e-mail connection."""
        user = {"connection": EMAIL, "email": address, "email_verified": True, **extras}
        try:
            made = await self._management.create(user, fallback=fallback)
        except ProviderUnavailable:
            if current_deadline().committed:  # it was sent, and what became of it is not known
                logger.error("an e-mail identity may have been made and left", address=redact_email(address))
            raise
        return None if made is None else made.user_id

    async def left_behind(self, address: Address, fits: Callable[[WireUser], bool]) -> str | None:
        """Return the id of a stub of that address that is there already, linked to nobody, and that `fits`."""
        for user in await self._management.by_email(address):
            if same(user.email, address) and user.only_email and not user.is_linked and fits(user):
                return user.user_id
        return None

    async def link(self, account: User, stub: str, fallback: type[ServiceError]) -> None:
        """Link the stub to the account. Raises UserNotFound, `fallback`."""
        body = {"provider": EMAIL, "user_id": stub.partition("|")[2]}
        answer = await self._management.link(account.user_id, body, fallback=fallback, passes=frozenset((CONFLICT,)))
        if not answer.ok:
            raise fallback().blamed_on(Fault.CONFLICT)

    async def remove(self, stub: str, account: User, fits: Callable[[WireUser], bool]) -> bool:
        """Undo the making of a stub whose linking failed, if it still is a stub that `fits`.

        Return whether the link was made after all: the stub is gone and the account has its identity. What could not
        be undone is logged as such; nothing is raised.
        """
        with self._budget.undoing():
            return await self._remove(stub, account, fits)

    async def take_back(self, stub: str, account: User, address: Address) -> None:
        """Undo a link that was made, and the stub with it.

        The tenant makes a user of an identity that is unlinked, without what the platform noted about the stub. So the
        stub is known by its id, which nobody else has, and its address. What could not be undone is logged as such;
        nothing is raised.
        """
        with self._budget.undoing():
            if await self._unlinked(stub, account):
                await self._remove(stub, account, lambda user: same(user.email, address))
            else:
                logger.error("an e-mail identity too many could not be taken back", stub=_named(stub))

    async def linked(self, account: User, address: Address) -> bool:
        """Return whether the account is known to have an e-mail identity of that address by now; raises nothing."""
        try:
            return (await self.account(account)).email_identity(address) is not None
        except ServiceError:
            return False

    async def account(self, account: User) -> User:
        """Return the account as the tenant has it now."""
        return to_user(await self._management.get(account.user_id))

    async def _unlinked(self, stub: str, account: User) -> bool:
        """Unlink a stub; return whether the account is without it."""
        try:
            return await self._repeated(lambda: self._unlink(stub, account))
        except ServiceError:
            return False

    async def _unlink(self, stub: str, account: User) -> bool:
        provider, _, identity_id = stub.partition("|")
        try:
            answer = await self._management.unlink(account.user_id, provider, identity_id, fallback=UnlinkFailed)
        except IdentityNotFound:
            return True
        except ServiceError:  # it may have been done
            if await self._has(account, stub, otherwise=True):
                raise
            return True
        return answer.ok

    async def _remove(self, stub: str, account: User, fits: Callable[[WireUser], bool]) -> bool:
        try:
            await self._repeated(lambda: self._delete(stub, fits))
        except UserNotFound:
            return await self._has(account, stub)
        except ServiceError as error:
            logger.error("a half-made e-mail identity could not be removed", stub=_named(stub), error=str(error))
        return False

    async def _delete(self, stub: str, fits: Callable[[WireUser], bool]) -> None:
        user = await self._management.get(stub)
        if user.only_email and not user.is_linked and fits(user):
            await self._management.delete(stub, fallback=LinkEmailFailed)
        else:
            logger.error("a half-made e-mail identity was left: it is not what was made", stub=_named(stub))

    async def _repeated(self, step: Callable[[], Awaitable[T]]) -> T:
        """Return what `step` returns. It is repeated after an outage, so it looks whether its write was made."""
        loop = asyncio.get_running_loop()
        until = self._budget.until()
        for _ in range(_TRIES - 1):
            try:
                return await step()
            except ProviderUnavailable:
                if loop.time() + _PAUSE >= until:
                    raise
            current_deadline().committed = False  # what fails must be told before the work is cut off
            await asyncio.sleep(_PAUSE)
        return await step()

    async def _has(self, account: User, stub: str, *, otherwise: bool = False) -> bool:
        """Return whether the account has the identity; `otherwise` when that cannot be found out."""
        try:
            user = await self._management.get(account.user_id)
        except ServiceError as error:
            logger.error("whether an e-mail identity was linked is unknown", stub=_named(stub), error=str(error))
            return otherwise
        return user.has(stub)


def _named(stub: str) -> str:
    return redact_subject(stub)
