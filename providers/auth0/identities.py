# SPDX-License-Identifier: MIT
"""Linking and unlinking identities, with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.errors import (
    Fault,
    GuardFailed,
    IdentityLinkedElsewhere,
    IdentityNotFound,
    LinkFailed,
    ServiceError,
    SystemManagedIdentity,
    UnlinkFailed,
    UserNotFound,
)
from app.domain.users import EMAIL
from providers.auth0.mapping import to_user
from providers.auth0.tenant import errors

if TYPE_CHECKING:
    from app.domain.aliases import AliasPolicy
    from app.domain.tokens import Caller
    from providers.auth0.management import Management
    from providers.auth0.tenant.answers import Answer

_TEXTS: Final = ("error", "message", "errorCode", "error_description")


class Auth0Identities:
    """Links and unlinks identities."""

    def __init__(self, management: Management, policy: AliasPolicy) -> None:
        """Take the Management API and which addresses are the platform's."""
        self._management = management
        self._policy = policy

    async def link(self, caller: Caller, identity_token: str, subject: str) -> None:
        """Link what the token proves; the tenant verifies it."""
        if await self._has(caller, subject):
            return
        answer = await self._management.link(
            caller.subject,
            {"link_with": identity_token},
            token=caller.token,
            fallback=LinkFailed,
            passes=frozenset((errors.BAD_REQUEST, errors.NOT_FOUND, errors.CONFLICT)),
        )
        # The same request sent twice, also to two replicas: what the other one has linked is linked.
        if answer.ok or await self._has(caller, subject):
            return
        if answer.status == errors.NOT_FOUND:
            raise UserNotFound
        raise IdentityLinkedElsewhere if _says_linked(answer) else LinkFailed().blamed_on(Fault.CALLER)

    async def _has(self, caller: Caller, subject: str) -> bool:
        provider, _, identity_id = subject.partition("|")
        return to_user(await self._management.get(caller.subject)).identity(provider, identity_id) is not None

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an identity, unless it is an alias."""
        if provider.lower() == EMAIL:
            await self._refuse_alias(caller.subject, identity_id)
        answer = await self._management.unlink(
            caller.subject, provider, identity_id, token=caller.token, fallback=UnlinkFailed
        )
        if not answer.ok:
            raise IdentityNotFound if "identit" in _told(answer) else UnlinkFailed().blamed_on(Fault.CALLER)

    async def _refuse_alias(self, account: str, identity_id: str) -> None:
        """Raise SystemManagedIdentity for an alias, GuardFailed when it cannot be known whether it is one."""
        try:
            user = to_user(await self._management.get(account))
            mine = [i for i in user.identities if EMAIL in {i.connection, i.provider} and i.identity_id == identity_id]
            managed = any(self._policy.covers(i.email) for i in mine)
            managed = managed or await self._is_managed_stub(f"{EMAIL}|{identity_id}")
        except ServiceError as error:
            raise GuardFailed().blamed_on(error.fault) from (error.__cause__ or error)
        if managed:
            raise SystemManagedIdentity

    async def _is_managed_stub(self, user_id: str) -> bool:
        try:
            return (await self._management.get(user_id, bad_id_is_nobody=False)).system_managed
        except UserNotFound:
            return False


def _told(answer: Answer) -> str:
    return answer.text_of(*_TEXTS).lower()


def _says_linked(answer: Answer) -> bool:
    return answer.status == errors.CONFLICT or "already linked" in _told(answer) or "already_linked" in _told(answer)
