# SPDX-License-Identifier: MIT
"""What a provider can do: small protocols, one a capability, each saying how it fails.

Every method may also raise `ProviderUnavailable`-like `UpstreamError`s; what is listed is what else it
raises, and nothing besides gets out of a provider. Times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    from app.domain.errors import ServiceError
    from app.domain.tokens import Caller
    from app.domain.users import Address, User


def _unnoticed(_: bytes) -> None:
    """Take no note."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands where a provider lacks a capability; `error` is what the caller is told, before anything else.

    `note` is given the body of every request that is refused for it.
    """

    error: type[ServiceError]
    note: Callable[[bytes], None] = _unnoticed


class Callers(Protocol):
    """Tells who calls."""

    async def verify(self, token: str, *, scope: str) -> Caller:
        """Verify `token` and that it carries `scope`, where the provider's tokens have scopes.

        Raises: InvalidToken, TokenExpired, InvalidIssuer, InvalidAudience, MissingScope.
        """
        ...


class ClientCallers(Protocol):
    """Lets a client, whose token names no user, act for one it names; only where the provider is set up for that."""

    async def acting_for(self, token: str, username: str) -> Caller:
        """Return the account of that name as the caller; `token` is genuine. Raises UserNotFound."""
        ...


class Directory(Protocol):
    """Finds users. Every method raises UserNotFound when there is none.

    A read may be answered from memory, and share the answer of an identical one in flight, unless it is `fresh`: asked
    for because a write depends on it. `of_caller`, which comes before writes only, is always fresh.
    """

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user whose primary e-mail `address` is, else who has it as a verified alternate."""
        ...

    async def of_caller(self, caller: Caller) -> User:
        """Find the account that a verified token speaks for."""
        ...

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject identifier or a username.

        How the three are told apart is the provider's affair. Raises also what `Callers.verify` raises.
        """
        ...


class StoredSubjects(Protocol):
    """Knows subject identifiers that cannot be derived from the username."""

    async def of_username(self, username: str) -> str | None:
        """Return the stored subject identifier of that user, None when there is none."""
        ...


class Profiles(Protocol):
    """Changes what users tell about themselves."""

    async def update_metadata(self, caller: Caller, change: Mapping[str, str]) -> User:
        """Set the fields of `change` (normalised), leave the others, return the user as stored. Raises UserNotFound."""
        ...


class Accounts(Protocol):
    """Changes the primary e-mail."""

    async def set_primary(self, user: User, address: Address, *, keep: Address | None) -> None:
        """Make `address` the primary e-mail; where `keep` is given, first add it as a verified e-mail identity.

        When `keep` cannot be added nothing is changed. Raises UserNotFound.
        """
        ...


@dataclass(frozen=True, slots=True)
class VerifiedEmail:
    """What a right one-time code yields. Empty strings stand for what the provider does not give."""

    id_token: str
    access_token: str = ""
    token_type: str = ""
    expires_in: int = 0
    scope: str = ""


class EmailVerification(Protocol):
    """Sends one-time codes and exchanges them for an identity token."""

    async def send_code(self, address: Address) -> None:
        """Send a code. Raises TooManyCodes, TooManyAttempts."""
        ...

    async def redeem(self, address: Address, code: str) -> VerifiedEmail:
        """Exchange the code. Raises CodeNotFound, WrongCode, TooManyGuesses, TooManyAttempts."""
        ...


class Identities(Protocol):
    """Links and unlinks identities of the caller's own account."""

    async def link(self, caller: Caller, identity_token: str, subject: str) -> None:
        """Link what `identity_token` proves; `subject` is its unverified `sub`.

        What is linked to the account already stays as it is. Raises InvalidIdentityToken,
        IdentityLinkedElsewhere, UserNotFound.
        """
        ...

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an identity. Raises IdentityNotFound, SystemManagedIdentity, UserNotFound."""
        ...


class Aliases(Protocol):
    """Gives out addresses of the platform's own domains."""

    async def claim(self, user: User, address: Address) -> None:
        """Add `address` as a verified e-mail identity that its owner cannot remove.

        Of several claims in one domain for one account at once, by whichever process, one is granted. Raises
        AliasNotAvailable, AlreadyClaimed.
        """
        ...


class Passwords(Protocol):
    """Changes passwords."""

    async def change(self, caller: Caller, current: str, new: str) -> None:
        """Set the password after checking the current one.

        Raises IncorrectPassword, TooManyAttempts, PasswordTooWeak, NoDatabaseUser, UserNotFound.
        """
        ...


class ResetLinks(Protocol):
    """Sends password reset links."""

    async def send(self, address: Address) -> None:
        """Mail a link to `address`."""
        ...


class Impersonation(Protocol):
    """Exchanges a user's token for one of another user (RFC 8693).

    `audiences` are those for which a token may be asked by name.
    """

    @property
    def audiences(self) -> frozenset[str]: ...  # noqa: D102 - said above

    async def subject_of(self, subject_token: str) -> str:
        """Return whose token it is, though it may be expired or meant for something else. Raises InvalidToken."""
        ...

    async def permit(self, subject_token: str) -> None:
        """Verify the token and that its owner may impersonate.

        Raises ImpersonationNotAllowed, and what `Callers.verify` raises but MissingScope.
        """
        ...

    async def exchange(self, subject_token: str, target_user: str, audience: str) -> str:
        """Return an access token of `target_user`, an e-mail or a username, passed on as it is.

        It is for `audience`, the usual one when that is empty. Raises ImpersonationRefused.
        """
        ...


class Attempt(Protocol):
    """A call of an upstream. Unless whoever makes it says otherwise, it is `ok` when it raises nothing."""

    outcome: str


class Upstream(Protocol):
    """Takes note of what a provider does with its upstream. Names of operations are constants, never data."""

    def attempt(self, operation: str) -> AbstractContextManager[Attempt]:
        """Count, time and trace one attempt of `operation`, which lasts as long as the context."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return the HTTP headers by which an upstream can continue the trace; none when there is nothing to."""
        ...

    def retried(self, operation: str) -> None:
        """Count an attempt that repeats another."""
        ...

    def coalesced(self, operation: str) -> None:
        """Count a read that shares the answer of another one in flight."""
        ...

    def refreshed(self, what: str, outcome: str) -> None:
        """Count a refresh of keys or of a token, and how it ended."""
        ...

    def odd(self, field: str) -> None:
        """Count a field of a user that does not hold what it should. Names of fields are constants, never data."""
        ...


def _no() -> bool:
    return False


def _unheard() -> None:
    """Take no note."""


def _ready() -> Mapping[str, str]:
    return {}


async def _leave() -> None:
    """Hold nothing that others wait for."""


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider: one object a capability.

    `readiness` names what the provider needs before it can serve, and what is wrong with it: the empty string when
    nothing is; a name that ends in `?` is shown and decides nothing. `measurements` gives what the provider measures
    by metric name; names that end in `_total` only ever grow.

    `secret` gives one that all replicas have, empty while there is none; `limited` says whether the provider is known
    to take no reads just now; `changed` is called when some user was changed, through whichever replica; `leave` gives
    up what other replicas wait for, while NATS is still there: within a second or so, and it raises nothing.
    """

    name: str
    callers: Callers
    directory: Directory
    profiles: Profiles
    accounts: Accounts
    verification: EmailVerification
    identities: Identities
    subjects: StoredSubjects | None = None
    clients: ClientCallers | None = None
    aliases: Aliases | Absent
    passwords: Passwords | Absent
    reset_links: ResetLinks | Absent
    impersonation: Impersonation | Absent
    readiness: Callable[[], Mapping[str, str]] = _ready
    measurements: Callable[[], Mapping[str, float]] = _nothing
    secret: Callable[[], str] = str
    limited: Callable[[], bool] = _no
    changed: Callable[[], None] = _unheard
    leave: Callable[[], Awaitable[None]] = _leave

    @property
    def capabilities(self) -> dict[str, Any]:
        """The capabilities by name: what is neither the provider's name nor something to call."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if not callable(value) and name != "name"}
