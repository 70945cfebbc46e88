# SPDX-License-Identifier: MIT
"""Linking and unlinking identities in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from app.domain.errors import (
    IdentityLinkedElsewhere,
    IdentityNotFound,
    InvalidIdentityToken,
    SystemManagedIdentity,
)
from app.domain.identity_tokens import LIFETIME, IdentityTokens, unverified_claims
from app.domain.spellings import same
from app.domain.users import EMAIL, Identity
from providers.mock.profiles import email_identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.aliases import AliasPolicy
    from app.domain.tokens import Caller
    from app.domain.users import Address, User
    from providers.mock.store import Store


def new_identity_tokens(now: Callable[[], float]) -> IdentityTokens:
    """Return what signs identity tokens, with a key made here and now."""
    key = ec.generate_private_key(ec.SECP256R1())
    return IdentityTokens(key, key.public_key(), "ES256", now)


class MockIdentities:
    """Links and unlinks identities."""

    def __init__(self, store: Store, tokens: IdentityTokens, policy: AliasPolicy, now: Callable[[], float]) -> None:
        """Take the users, what checks identity tokens, which domains are the platform's, and the clock."""
        self._store = store
        self._tokens = tokens
        self._policy = policy
        self._now = now
        self._used: dict[str, float] = {}

    async def link(self, caller: Caller, identity_token: str, subject: str) -> None:
        """Link what the token proves: an address by the service's own token, anything else by any JWT's subject."""
        user = self._store.by_subject(caller.subject).user
        provider, bar, identity_id = subject.partition("|")
        if provider == EMAIL:
            self._link_email(user, identity_token)
        elif not bar or not provider or not identity_id:
            raise InvalidIdentityToken
        else:
            self._link_social(user, provider, identity_id, identity_token)

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an identity; an alias and the account's own identity stay."""
        entry = self._store.by_subject(caller.subject)
        identity = entry.user.identity(provider, identity_id)
        if (
            identity is not None
            and identity.is_email
            and (identity_id in entry.aliases or self._policy.covers(identity.email))
        ):
            raise SystemManagedIdentity
        if identity is None or f"{provider}|{identity_id}" == entry.user.user_id:
            raise IdentityNotFound
        self._store.change(
            caller.subject,
            lambda user: replace(user, identities=tuple(i for i in user.identities if i is not identity)),
        )

    def _link_email(self, user: User, identity_token: str) -> None:
        proof = self._tokens.check(identity_token)
        identity = user.email_identity(proof.address)
        if same(user.primary_email, proof.address) or (identity and identity.email_verified):
            return
        self._used = {jti: until for jti, until in self._used.items() if until > self._now()}
        if proof.jti in self._used:
            raise InvalidIdentityToken
        if self._store.owner(proof.address) is not None:
            raise IdentityLinkedElsewhere
        self._store.change(user.user_id, lambda user: _with_verified(user, proof.address))
        self._used[proof.jti] = self._now() + LIFETIME

    def _link_social(self, user: User, provider: str, identity_id: str, identity_token: str) -> None:
        owner = self._store.identity_owner(provider, identity_id)
        if owner is not None and owner.user.user_id == user.user_id:
            return
        if owner is not None:
            raise IdentityLinkedElsewhere
        claims = unverified_claims(identity_token) or {}

        def text(claim: str) -> str:
            value = claims.get(claim)
            return value if isinstance(value, str) else ""

        identity = Identity(
            provider=provider,
            identity_id=identity_id,
            connection=provider,
            email=text("email"),
            email_verified=claims.get("email_verified") is True,
            nickname=text("nickname"),
            name=text("name"),
            is_social=True,
        )
        self._store.change(user.user_id, lambda user: replace(user, identities=(*user.identities, identity)))


def _with_verified(user: User, address: Address) -> User:
    """Return the user with a verified e-mail identity of `address`, in the place of an unverified one."""
    mine = user.email_identity(address)
    if mine is None:
        return replace(user, identities=(*user.identities, email_identity(address)))
    return replace(user, identities=tuple(replace(i, email_verified=True) if i is mine else i for i in user.identities))
