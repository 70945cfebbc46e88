# SPDX-License-Identifier: MIT
"""Aliases: addresses in the platform's own domains, one for each account and domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.domain.addresses import MAX_LOCAL_PART, is_local_part, parse_address
from app.domain.errors import (
    AliasInvalid,
    AliasNotAvailable,
    AliasReserved,
    AlreadyClaimed,
    AuthTokenRequired,
    DomainNotAllowed,
    EmailAlreadyLinked,
    fail,
    require,
)
from app.domain.locks import KeyedLocks
from app.domain.lookups import refuse_taken
from app.domain.spellings import comparable, comparable_domain
from app.domain.tokens import UPDATE_IDENTITIES, bare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.ports import Aliases as AliasPort
    from app.domain.ports import Callers, Directory
    from app.domain.tokens import Caller
    from app.domain.users import Address, User

RESERVED: Final = frozenset(
    (
        "postmaster",
        "abuse",
        "hostmaster",
        "admin",
        "administrator",
        "noreply",
        "no-reply",
        "root",
        "mailer-daemon",
        "linux",
        "linuxfoundation",
        "lf",
        "security",
        "support",
        "info",
        "webmaster",
        "ops",
        "devops",
        "itx-system",
    )
)
_FORBIDDEN: Final = frozenset('/*$^:()<>[]; @\\,"')


@dataclass(frozen=True, slots=True)
class AliasPolicy:
    """The domains of aliases, and the local parts that are reserved beside the fixed ones, in any case."""

    domains: frozenset[str] = frozenset()
    reserved_extra: frozenset[str] = frozenset()
    _spelled: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Convert both into the form that is compared."""
        for name in ("domains", "reserved_extra"):
            object.__setattr__(self, name, frozenset(word.strip().lower() for word in getattr(self, name)))
        spelled = {comparable_domain(domain): domain for domain in sorted(self.domains, reverse=True)}
        object.__setattr__(self, "_spelled", spelled)

    def covers(self, email: str) -> bool:
        """Whether the address is in one of the domains."""
        return _domain_of(email) in self._spelled

    def domain(self, domain: str) -> str:
        """Return the domain as it is configured. So an alias has one spelling, and the provider makes it once.

        Raises DomainNotAllowed.
        """
        return self._spelled.get(comparable_domain(domain)) or fail(DomainNotAllowed)

    def local_part(self, alias: str) -> str:
        """Return the local part as it is stored. Raises AliasInvalid, AliasReserved."""
        local = alias.strip()
        if len(local) > MAX_LOCAL_PART:  # before anything that costs: of a mebibyte lower case alone takes 50 ms
            raise AliasInvalid
        local = local.lower()
        if _FORBIDDEN.intersection(local) or not is_local_part(local):
            raise AliasInvalid
        if local in RESERVED or local in self.reserved_extra:
            raise AliasReserved
        return local


def address_in(user: User, domain: str) -> str:
    """Return the address that the account has in `domain`, the empty string for none.

    If there are several, it is the primary e-mail, else the first e-mail identity in stored order. So simultaneous
    claims see the same one, in all replicas.
    """
    addresses = (user.primary_email, *(identity.email for identity in user.alternate_emails))
    domain = comparable_domain(domain)
    return next((address for address in addresses if _domain_of(address) == domain), "")


def _domain_of(address: str) -> str:
    """Return the domain of an address in the form that is compared."""
    return comparable(address).rpartition("@")[2]


class Aliases:
    """Claims of aliases."""

    def __init__(self, callers: Callers, directory: Directory, aliases: AliasPort, policy: AliasPolicy) -> None:
        """Take the provider's capabilities and what may be claimed."""
        self._callers = callers
        self._directory = directory
        self._aliases = aliases
        self._policy = policy
        # That an account has one alias a domain is up to the provider, for there are other replicas. Within a process
        # taking turns spares the provider what is made and taken back again: a second claim reads what the first left.
        self._claims = KeyedLocks()

    async def add(self, token: str, alias: str, domain: str) -> Address:
        """Give the caller's account the address `alias@domain`, return it.

        Raises AuthTokenRequired, DomainNotAllowed, AlreadyClaimed, AliasInvalid, AliasReserved, AliasNotAvailable,
        and what verifying a token raises.
        """
        token = require(bare(token), AuthTokenRequired)
        domain = self._policy.domain(domain)
        caller = await self._callers.verify(token, scope=UPDATE_IDENTITIES)
        async with self._claims.of(caller.subject):
            return await self._claim(caller, alias, domain)

    async def _claim(self, caller: Caller, alias: str, domain: str) -> Address:
        user = await self._directory.of_caller(caller)
        if address_in(user, domain):
            raise AlreadyClaimed
        address = parse_address(f"{self._policy.local_part(alias)}@{domain}", AliasInvalid)
        try:
            await refuse_taken(self._directory, address)
        except EmailAlreadyLinked as taken:
            raise AliasNotAvailable from taken
        await self._aliases.claim(user, address)
        return address
