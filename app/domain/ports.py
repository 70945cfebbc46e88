# SPDX-License-Identifier: MIT
"""The abilities of a provider: one small protocol for each capability. Each says how it fails.

Every method may also raise an `UpstreamError` such as `ProviderUnavailable`. All other errors are listed; a provider
raises no others. Times are in seconds.
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


@dataclass(frozen=True, slots=True)
class Absent:
    """Replaces a capability that the provider lacks. The reply is always `error`, before any other check.

    `note` is called with the body of every request that is refused for this reason.
    """

    error: type[ServiceError]
    note: Callable[[bytes], None] = lambda _: None


class Callers(Protocol):
    """Identifies the caller."""

    async def verify(self, token: str, *, scope: str) -> Caller:
        """Verify `token` and, if the provider's tokens have scopes, that it has `scope`.

        Raises: InvalidToken, TokenExpired, InvalidIssuer, InvalidAudience, MissingScope.
        """
        ...


class ClientCallers(Protocol):
    """Lets a client act for a user that it names, if the provider is configured for it. Its token names no user."""

    async def acting_for(self, token: str, username: str) -> Caller:
        """Return the account of that name as the caller; `token` has been verified. Raises UserNotFound."""
        ...


class Directory(Protocol):
    """Finds users. Every method raises UserNotFound if there is none.

    A read may be answered from memory, or share the answer of an identical read in flight. A `fresh` read may not,
    because a write depends on it. `of_caller` is always fresh: it is used only before writes.
    """

    async def by_email(self, address: Address, *, fresh: bool = False) -> User:
        """Find the user with the primary e-mail `address`, else the user with it as a verified alternate."""
        ...

    async def of_caller(self, caller: Caller) -> User:
        """Find the account of a verified token."""
        ...

    async def resolve(self, reference: str) -> User:
        """Find the user meant by a token, a subject identifier or a username.

        The provider distinguishes the three. Also raises what `Callers.verify` raises.
        """
        ...


class StoredSubjects(Protocol):
    """Knows subject identifiers that cannot be derived from the username."""

    async def of_username(self, username: str) -> str | None:
        """Return the stored subject identifier of that user, None if there is none."""
        ...


class Profiles(Protocol):
    """Changes users' metadata."""

    async def update_metadata(self, caller: Caller, change: Mapping[str, str]) -> User:
        """Set the fields of `change` (normalised), keep the others, return the stored user. Raises UserNotFound."""
        ...


class Accounts(Protocol):
    """Changes the primary e-mail."""

    async def set_primary(self, user: User, address: Address, *, keep: Address | None) -> None:
        """Make `address` the primary e-mail. If `keep` is given, first add it as a verified e-mail identity.

        `keep` is as it is stored, so it may be what is no address here. If it cannot be added, nothing changes. Raises
        UserNotFound, SetPrimaryFailed.
        """
        ...


@dataclass(frozen=True, slots=True)
class VerifiedEmail:
    """The tokens for a right one-time code. A string is empty if the provider does not give it."""

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
        """Link the identity that `identity_token` proves; `subject` is its unverified `sub`.

        An identity that the account already has stays as it is. Raises InvalidIdentityToken,
        IdentityLinkedElsewhere, UserNotFound.
        """
        ...

    async def unlink(self, caller: Caller, provider: str, identity_id: str) -> None:
        """Remove an identity. Raises IdentityNotFound, SystemManagedIdentity, UserNotFound."""
        ...


class Aliases(Protocol):
    """Gives accounts addresses in the platform's own domains."""

    async def claim(self, user: User, address: Address) -> None:
        """Add `address` as a verified e-mail identity that its owner cannot remove.

        Of several simultaneous claims for one account in one domain, in any process, one succeeds. Raises
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

    `audiences` are those that a request can name.
    """

    @property
    def audiences(self) -> frozenset[str]: ...  # noqa: D102 - said above

    async def subject_of(self, subject_token: str) -> str:
        """Return the subject of the token, even if it has expired or is for another audience. Raises InvalidToken."""
        ...

    async def permit(self, subject_token: str) -> None:
        """Verify the token and that its owner may impersonate.

        Raises ImpersonationNotAllowed, and what `Callers.verify` raises except MissingScope.
        """
        ...

    async def exchange(self, subject_token: str, target_user: str, audience: str) -> str:
        """Return an access token of `target_user`: an e-mail or a username, passed on unchanged.

        It is for `audience`; empty: the default one. Raises ImpersonationRefused.
        """
        ...


class Attempt(Protocol):
    """A call of an upstream. Without another `outcome` it is `ok` if it raises nothing."""

    outcome: str


class Upstream(Protocol):
    """Counts and traces a provider's calls of its upstream. Names of operations are constants, never data."""

    def attempt(self, operation: str) -> AbstractContextManager[Attempt]:
        """Count, time and trace one attempt of `operation`. It lasts as long as the context."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return the HTTP headers with which an upstream can continue the trace, if there is one."""
        ...

    def retried(self, operation: str) -> None:
        """Count an attempt that repeats another."""
        ...

    def coalesced(self, operation: str) -> None:
        """Count a read that shares the answer of another read in flight."""
        ...

    def refreshed(self, what: str, outcome: str) -> None:
        """Count a refresh of keys or of a token, with its outcome."""
        ...

    def odd(self, field: str) -> None:
        """Count a user's field with an invalid value. Names of fields are constants, never data."""
        ...


async def _leave() -> None:
    """Release nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider: one object for each capability.

    - `readiness` names what the provider needs before it can serve. The value is the fault, or the empty string. A name
      that ends in `?` is shown, but does not affect readiness.
    - `measurements` gives the provider's numbers by metric name. Names that end in `_total` are counters.
    - `secret` gives a secret that all replicas share; empty while there is none.
    - `limited` says whether the provider is known to refuse reads at the moment.
    - `changed` is called when a user was changed, through any replica.
    - `leave` releases what other replicas wait for, while NATS is still connected. It takes about a second at most and
      raises nothing.
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
    readiness: Callable[[], Mapping[str, str]] = dict[str, str]
    measurements: Callable[[], Mapping[str, float]] = dict[str, float]
    secret: Callable[[], str] = str
    limited: Callable[[], bool] = bool
    changed: Callable[[], None] = lambda: None
    leave: Callable[[], Awaitable[None]] = _leave

    @property
    def capabilities(self) -> dict[str, Any]:
        """The capabilities by name: all fields except the name and the functions."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if not callable(value) and name != "name"}
