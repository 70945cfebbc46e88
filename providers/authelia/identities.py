# SPDX-License-Identifier: MIT
"""Linking and unlinking identities in storage."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.codes import StaleRevision
from app.domain.errors import (
    IdentityLinkedElsewhere,
    IdentityNotFound,
    InvalidIdentityToken,
    ServiceError,
    UserNotFound,
)
from app.domain.identity_tokens import unverified_claims
from app.domain.users import EMAIL
from providers.authelia import records
from providers.authelia.profiles import username_of
from providers.authelia.storage import claiming

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.domain.identity_tokens import EmailProof
    from app.domain.tokens import Caller
    from app.domain.users import Address
    from providers.authelia.kv import Bucket
    from providers.authelia.records import Record
    from providers.authelia.signing import SigningKey
    from providers.authelia.storage import Users

_AT_WORK: Final = "at work"
_USED: Final = "used"


class UsedTokens:
    """The ledger of identity tokens that have linked, by their `jti`; it outlives them by far."""

    def __init__(self, ledger: Callable[[], Awaitable[Bucket]]) -> None:
        """Take the bucket."""
        self._ledger = ledger

    async def begin(self, jti: str, username: str) -> None:
        """Note that the account is about to link by the token. Raises InvalidIdentityToken when it was used.

        The account that had begun and was cut off may begin again.
        """
        bucket = await self._ledger()
        entry = await bucket.get(_key(jti))
        noted = records.parse(entry.value)
        if noted is not None and noted != {"username": username, "state": _AT_WORK}:
            raise InvalidIdentityToken
        try:
            await bucket.put(_key(jti), _note(username, _AT_WORK), entry.revision)
        except StaleRevision as lost:
            raise InvalidIdentityToken from lost

    async def finish(self, jti: str, username: str) -> None:
        """Note that the token has linked."""
        bucket = await self._ledger()
        entry = await bucket.get(_key(jti))
        try:
            await bucket.put(_key(jti), _note(username, _USED), entry.revision)
        except StaleRevision:
            return await self.finish(jti, username)

    async def forget(self, jti: str) -> None:
        """Take the note back: the token has not linked."""
        bucket = await self._ledger()
        entry = await bucket.get(_key(jti))
        if entry.value is not None:
            try:
                await bucket.delete(_key(jti), entry.revision)
            except StaleRevision:
                return


def _key(jti: str) -> str:
    return f"jti/{hashlib.sha256(jti.encode()).hexdigest()}"


def _note(username: str, state: str) -> bytes:
    return json.dumps({"username": username, "state": state}).encode()


class AutheliaIdentities:
    """Links and unlinks identities."""

    def __init__(self, users: Users, signing: SigningKey, used: UsedTokens, *, trust_unverified: bool) -> None:
        """Take the users, the keys, the ledger, and whether social identity tokens are believed unverified."""
        self._users = users
        self._signing = signing
        self._used = used
        self._trust_unverified = trust_unverified

    async def link(self, caller: Caller, identity_token: str, subject: str) -> None:
        """Link the address that a token of this service proves; any other identity only where that is switched on."""
        username = await username_of(self._users, caller.subject)
        provider, bar, identity_id = subject.partition("|")
        if provider == EMAIL:
            await self._link_email(username, (await self._signing.keys()).tokens.check(identity_token))
        elif not self._trust_unverified or not (provider and bar and identity_id):
            raise InvalidIdentityToken
        else:
            await self._link_social(username, provider, identity_id, identity_token)

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an alternate address (provider `email`), otherwise the identity with that provider and id."""
        username = await username_of(self._users, caller.subject)
        if provider == EMAIL:
            return await self._unlink_email(username, records.address(identity_id))

        def without(record: Record) -> Record:
            entries = records.objects(record, "identities")
            left = [e for e in entries if (e.get("provider"), str(e.get("identity_id"))) != (provider, identity_id)]
            if len(left) == len(entries):
                raise IdentityNotFound
            return {**record, "identities": left}

        await self._users.change(username, without)
        return None

    async def _link_email(self, username: str, proof: EmailProof) -> None:
        if proof.address in records.held(await self._users.get(username)):
            return
        await self._used.begin(proof.jti, username)
        try:
            await self._claim_and_add(username, proof.address)
        except (IdentityLinkedElsewhere, UserNotFound):
            await self._used.forget(proof.jti)
            raise
        await self._used.finish(proof.jti, username)

    async def _claim_and_add(self, username: str, address: Address) -> None:
        await claiming(self._users, username, address, IdentityLinkedElsewhere)
        try:
            await self._users.change(username, lambda record: records.with_verified(record, address))
        except ServiceError:
            await self._give_back(username, address)
            raise
        if not await self._users.confirm(username, address):
            raise IdentityLinkedElsewhere

    async def _give_back(self, username: str, address: Address) -> None:
        try:
            await self._users.release(username, address)
        except ServiceError as error:
            logger.warning("a claim of an address stays for a minute", error=str(error))

    async def _unlink_email(self, username: str, address: Address) -> None:
        # Asked for before the change: a claim of the same address that comes after it must not be removed.
        revision = await self._users.revision_of(address)

        def without(record: Record) -> Record:
            changed = records.without_alternate(record, address)
            if len(changed["alternate_email"]) == len(records.objects(record, "alternate_email")):
                raise IdentityNotFound
            return changed

        await self._users.change(username, without)
        await self._users.release(username, address, revision)

    async def _link_social(self, username: str, provider: str, identity_id: str, identity_token: str) -> None:
        if records.user(username, await self._users.get(username)).identity(provider, identity_id):
            return
        owner = await self._users.owner_of_subject(f"{provider}|{identity_id}")
        if owner is not None or await self._is_linked(provider, identity_id):
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

        await self._users.change(username, linked)

    async def _is_linked(self, provider: str, identity_id: str) -> bool:
        """Whether anybody has that identity: a walk through all users, since development clusters have few."""
        for username in await self._users.usernames():
            record = await self._users.find(username)
            if record is not None and records.user(username, record).identity(provider, identity_id):
                return True
        return False
