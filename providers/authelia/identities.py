# SPDX-License-Identifier: MIT
"""Linking and unlinking identities in storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain.errors import (
    IdentityLinkedElsewhere,
    IdentityNotFound,
    InvalidIdentityToken,
    UserNotFound,
)
from app.domain.identity_tokens import unverified_claims
from app.domain.users import EMAIL
from providers.authelia.storage import records
from providers.authelia.storage.claims import claimed
from providers.authelia.storage.kv import StorageFull, Unreadable
from providers.authelia.storage.social import without_social

if TYPE_CHECKING:
    from app.domain.identity_tokens import EmailProof
    from app.domain.tokens import Caller
    from app.domain.users import Address
    from providers.authelia.codes.signing import SigningKey
    from providers.authelia.codes.used_tokens import UsedTokens
    from providers.authelia.storage.records import Record
    from providers.authelia.storage.social import SocialClaims
    from providers.authelia.storage.users import Users


class AutheliaIdentities:
    """Links and unlinks identities."""

    def __init__(
        self, users: Users, signing: SigningKey, used: UsedTokens, social: SocialClaims, *, trust_unverified: bool
    ) -> None:
        """Take the users, the keys, the two ledgers, and whether social identity tokens are believed unverified."""
        self._users = users
        self._signing = signing
        self._used = used
        self._social = social
        self._trust_unverified = trust_unverified

    async def link(self, caller: Caller, identity_token: str, subject: str) -> None:
        """Link the address that a token of this service proves; any other identity only where that is switched on."""
        username = caller.username
        provider, bar, identity_id = subject.partition("|")
        if provider == EMAIL:
            await self._link_email(username, (await self._signing.keys()).tokens.check(identity_token))
        elif not self._trust_unverified or not (provider and bar and identity_id):
            raise InvalidIdentityToken
        else:
            await self._link_social(username, provider, identity_id, identity_token)

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an alternate address (provider `email`), otherwise the identity with that provider and id."""
        username = caller.username
        if provider == EMAIL:
            return await self._unlink_email(username, records.address(identity_id))
        # Asked for before the change, as with an address.
        revision = await self._social.revision_of(provider, identity_id)

        def without(record: Record) -> Record:
            changed = without_social(record, provider, identity_id)
            if len(changed["identities"]) == len(records.objects(record, "identities")):
                raise IdentityNotFound
            return changed

        await self._users.change(username, without)
        await self._social.release(username, provider, identity_id, revision)
        return None

    async def _link_email(self, username: str, proof: EmailProof) -> None:
        if await self._holds(username, proof.address):
            return await self._used.settle(proof.jti, username)
        try:
            begun = await self._used.begin(proof.jti, username)
        except InvalidIdentityToken:
            if await self._holds(username, proof.address):  # by the same request, sent twice
                return None
            raise
        try:
            async with claimed(self._users, username, proof.address, IdentityLinkedElsewhere):
                await self._users.gain(
                    username, proof.address, lambda record: records.with_verified(record, proof.address)
                )
        except (IdentityLinkedElsewhere, UserNotFound, StorageFull, Unreadable):  # nothing was written
            await self._used.forget(proof.jti, begun)
            raise
        return await self._used.finish(proof.jti, username)

    async def _holds(self, username: str, address: Address) -> bool:
        return records.holds(await self._users.get(username), address)

    async def _unlink_email(self, username: str, address: Address) -> None:
        # Asked for before the change: a claim of the same address that comes after it must not be removed.
        revision = await self._users.revision_of(address)

        def without(record: Record) -> Record:
            changed = records.without_alternate(record, address)
            if len(changed["alternate_email"]) == len(records.alternates(record)):
                raise IdentityNotFound
            return changed

        await self._users.change(username, without)
        await self._users.release(username, address, revision)

    async def _link_social(self, username: str, provider: str, identity_id: str, identity_token: str) -> None:
        if records.user(username, await self._users.get(username)).identity(provider, identity_id):
            return
        owner = await self._users.subjects.owner(f"{provider}|{identity_id}")
        if owner is not None or not await self._social.claim(username, provider, identity_id):
            raise IdentityLinkedElsewhere
        claims = unverified_claims(identity_token) or {}
        identity = {
            "provider": provider,
            "identity_id": identity_id,
            "connection": provider,
            "email": records.text(claims, "email"),
            "email_verified": claims.get("email_verified") is True,
            "nickname": records.text(claims, "nickname"),
            "name": records.text(claims, "name"),
            "is_social": True,
        }

        def linked(record: Record) -> Record:
            if records.user(username, record).identity(provider, identity_id):
                return record
            return {**record, "identities": [*records.objects(record, "identities"), identity]}

        async def check() -> None:
            if not await self._social.is_claimed_by(username, provider, identity_id):
                raise IdentityLinkedElsewhere

        await self._users.change(username, linked, check)
