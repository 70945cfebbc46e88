# SPDX-License-Identifier: MIT
"""The tree of failures. Each error string that a caller can get is here and nowhere else.

    ServiceError
    ├── CallerError      the request cannot be fulfilled
    ├── Conflict         the value is taken already
    ├── LimitReached     limits and timeouts
    ├── UpstreamError    the identity provider, mail or storage failed
    └── OwnError         this service failed

The base class says whose fault a failure is. `ServiceError.blamed_on` changes that for one failure. The fault
decides the log level and the metric label. Only the error for a malformed body is not here: each subject
declares its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NoReturn, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


T = TypeVar("T")


class Fault(StrEnum):
    """Whose fault a failure is."""

    CALLER = "caller_error"
    CONFLICT = "conflict"
    LIMIT = "limit"
    UPSTREAM = "upstream_error"
    OWN = "internal_error"


class ServiceError(Exception):
    """A failure that is the reply to the caller, in one short line: `wire`."""

    wire: str
    fault: Fault

    def blamed_on(self, fault: Fault) -> Self:
        """Return this failure with another fault: a provider may refuse a call because of what the caller sent."""
        self.fault = fault
        return self

    def __str__(self) -> str:
        """Return the line that the caller gets. Details, if there are any, are in `__cause__`."""
        return self.wire


class CallerError(ServiceError):
    """The request is invalid or not allowed."""

    fault = Fault.CALLER


class Conflict(ServiceError):
    """Another account has the requested value."""

    fault = Fault.CONFLICT


class LimitReached(ServiceError):
    """A limit was reached: of attempts, of time or of open requests."""

    fault = Fault.LIMIT


class UpstreamError(ServiceError):
    """A system that the service depends on failed."""

    fault = Fault.UPSTREAM


class OwnError(ServiceError):
    """The service itself failed."""

    fault = Fault.OWN


def fail(error: type[ServiceError]) -> NoReturn:
    """Raise the error in an expression, such as after `found or`."""
    raise error


def require(value: T, error: type[ServiceError]) -> T:
    """Return `value`; raise `error` when it is empty or missing."""
    if not value:
        raise error
    return value


# --- of the request ---------------------------------------------------------------------------


class Malformed(CallerError):
    """The body is not the described JSON object; each subject has its own string."""

    def __init__(self, wire: str) -> None:
        """Take the error string that the subject's declaration names."""
        super().__init__(wire)
        self.wire = wire


class EmailRequired(CallerError):
    """No e-mail address was given."""

    wire = "email is required"


class UsernameRequired(CallerError):
    """No username was given."""

    wire = "username is required"


class InputRequired(CallerError):
    """Neither a token nor a subject identifier nor a username was given."""

    wire = "input is required"


class TokenRequired(CallerError):
    """No token was given, on a subject whose field is called `token`."""

    wire = "token is required"


class AuthTokenRequired(CallerError):
    """No token was given, on a subject whose field is called `auth_token`."""

    wire = "auth_token is required"


class MetadataRequired(CallerError):
    """`user_metadata` is missing or null."""

    wire = "user_metadata is required"


class InvalidEmailFormat(CallerError):
    """The new primary e-mail is not a valid address."""

    wire = "invalid email format"


class AlternateEmailRequired(CallerError):
    """No address to verify was given."""

    wire = "alternate email is required"


class InvalidEmail(CallerError):
    """The address to verify is not a valid address."""

    wire = "invalid email"


class EmailAndCodeRequired(CallerError):
    """The one-time code is missing."""

    wire = "email and OTP are required"


class IdentityTokenRequired(CallerError):
    """`link_with.identity_token` is missing."""

    wire = "link_with identity token is required"


class ProviderRequired(CallerError):
    """`unlink.provider` is missing."""

    wire = "provider is required"


class IdentityIdRequired(CallerError):
    """`unlink.identity_id` is missing."""

    wire = "identity_id is required"


class CurrentPasswordRequired(CallerError):
    """The current password is missing or blank."""

    wire = "current_password is required"


class NewPasswordRequired(CallerError):
    """The new password is missing or blank."""

    wire = "new_password is required"


class SubjectTokenRequired(CallerError):
    """The token of the user who wants to impersonate is missing."""

    wire = "subject_token is required"


class TargetUserRequired(CallerError):
    """The user to impersonate is missing."""

    wire = "target_user is required"


# --- of tokens --------------------------------------------------------------------------------


class InvalidToken(CallerError):
    """The token cannot be read, has a wrong signature, algorithm or key, or is not a token."""

    wire = "invalid token"


class TokenOfClient(InvalidToken):
    """The token is valid, but belongs to a client and not to a user; where a user is needed, it is invalid."""


class TokenExpired(CallerError):
    """The token's `exp` has passed."""

    wire = "token has expired"


class InvalidIssuer(CallerError):
    """The token has another issuer."""

    wire = "invalid issuer"


class InvalidAudience(CallerError):
    """The token is for another audience."""

    wire = "invalid audience"


class MissingScope(CallerError):
    """The token lacks the scope that the subject needs."""

    wire = "missing required scope"


# --- of users and identities ------------------------------------------------------------------


class UserNotFound(CallerError):
    """There is no such user. Callers act on exactly this string: see the decision on errors."""

    wire = "user not found"


class NotLinked(CallerError):
    """The address is not an e-mail identity of the account."""

    wire = "email is not a linked identity on this account"


class NotVerified(CallerError):
    """The address is an e-mail identity of the account, but is not verified."""

    wire = "email is not verified and cannot be set as primary"


class EmailAlreadyLinked(Conflict):
    """The address is the primary e-mail or a verified alternate of an account."""

    wire = "email already linked"


class IdentityTokenWithoutSubject(CallerError):
    """The identity token is not a JWT with a subject."""

    wire = "invalid identity token: unable to extract subject"


class IdentityTokenOfAccount(CallerError):
    """The identity token belongs to an account, which cannot become an identity of another account."""

    wire = "the provided identity token belongs to an existing LFID account and cannot be linked"


class InvalidIdentityToken(CallerError):
    """The identity token has a wrong signature, is not meant for linking, has expired or was used."""

    wire = "invalid identity token"


class IdentityLinkedElsewhere(Conflict):
    """The identity belongs to another account."""

    wire = "identity already linked to another user"


class IdentityNotFound(CallerError):
    """The account has no such identity."""

    wire = "identity not found"


class SystemManagedIdentity(CallerError):
    """The identity is an alias, which its owner cannot remove."""

    wire = "system_managed_identity"


# --- of one-time codes ------------------------------------------------------------------------


class CodeNotFound(CallerError):
    """No code was requested, or it has expired or was used."""

    wire = "verification code not found or expired"


class WrongCode(CallerError):
    """The code is wrong."""

    wire = "invalid verification code"


class TooManyGuesses(LimitReached):
    """Five wrong guesses at one code."""

    wire = "too many attempts, request a new code"


class TooManyAttempts(LimitReached):
    """A hundred wrong guesses for one address, or the provider's own limit on sign-in attempts."""

    wire = "too many attempts, try again later"


class TooManyCodes(LimitReached):
    """Five codes within an hour for one address."""

    wire = "too many verification requests, try again later"


# --- of aliases -------------------------------------------------------------------------------


class AliasServiceUnavailable(CallerError):
    """The provider has no aliases."""

    wire = "alias_service_unavailable"


class DomainNotAllowed(CallerError):
    """There are no aliases in this domain."""

    wire = "domain_not_allowed"


class AlreadyClaimed(Conflict):
    """The account already has an address in that domain."""

    wire = "already_claimed"


class AliasInvalid(CallerError):
    """The local part is not valid in an address."""

    wire = "alias_invalid"


class AliasReserved(CallerError):
    """The local part is reserved for the system."""

    wire = "alias_reserved"


class AliasNotAvailable(Conflict):
    """Another account has that address."""

    wire = "alias_not_available"


# --- of passwords -----------------------------------------------------------------------------


class IncorrectPassword(CallerError):
    """The current password is wrong."""

    wire = "incorrect password: current password is incorrect"


class NoEmailAddress(CallerError):
    """The account has no e-mail address to send the link to."""

    wire = "user does not have an email address"


class PasswordTooWeak(CallerError):
    """The provider refuses the new password: strength, history, dictionary or personal data."""

    wire = "password does not meet the requirements"


class NoDatabaseUser(CallerError):
    """The account does not sign in with a password of this provider."""

    wire = "password change requires an Auth0 user with a username"


class PasswordServiceUnavailable(CallerError):
    """Password reset links are not configured."""

    wire = "password service unavailable"


class PasswordChangeUnsupported(CallerError):
    """The service cannot change passwords of this provider."""

    wire = "password change is not supported for Authelia users"


class ResetLinkUnsupported(CallerError):
    """The provider has no password reset links."""

    wire = "password reset link is not supported for Authelia users"


# --- of impersonation -------------------------------------------------------------------------


class ImpersonationUnavailable(CallerError):
    """The provider has no token exchange, or it is not configured."""

    wire = "impersonation flow unavailable"


class AudienceNotAllowed(CallerError):
    """Impersonation gives no tokens for that audience."""

    wire = "audience not allowed"


class ImpersonationNotAllowed(CallerError):
    """The token does not say that its owner may impersonate."""

    wire = "impersonation not allowed"


class ImpersonationRefused(CallerError):
    """The provider refuses the exchange; the text is the provider's, in this form."""

    wire = "<error>: <error_description>"

    def __init__(self, wire: str) -> None:
        """Take the provider's words, in one line."""
        super().__init__(wire)
        self.wire = wire


# --- of the identity provider -----------------------------------------------------------------


class ProviderUnavailable(UpstreamError):
    """The identity provider cannot be reached, fails, or gives an invalid reply."""

    wire = "identity provider unavailable"


class RateLimited(UpstreamError):
    """The rate limit of the identity provider is reached."""

    wire = "identity provider rate limit reached, try again later"


class SearchFailed(UpstreamError):
    """The identity provider refuses a search or a read."""

    wire = "failed to search user"


class UpdateFailed(UpstreamError):
    """The identity provider refuses the change of a profile, or a field is too large."""

    wire = "failed to update user"


class SendCodeFailed(UpstreamError):
    """The identity provider refuses to send a one-time code."""

    wire = "failed to start passwordless flow"


class CodeExchangeFailed(UpstreamError):
    """The identity provider refuses the one-time code, or returns a token for another address."""

    wire = "failed to exchange OTP for token"


class LinkFailed(UpstreamError):
    """The identity provider refuses to link the identity."""

    wire = "failed to link identity to user"


class UnlinkFailed(UpstreamError):
    """The identity provider refuses to remove the identity."""

    wire = "failed to unlink identity from user"


class GuardFailed(UpstreamError):
    """The service could not check whether the identity is an alias, so nothing is removed."""

    wire = "failed to evaluate system-managed unlink guard"


class LinkEmailFailed(UpstreamError):
    """The alias could not be added to the account."""

    wire = "failed to link email identity"


class SetPrimaryFailed(UpstreamError):
    """The identity provider refuses the new primary e-mail, or to keep the old one."""

    wire = "failed to set primary email"


class PasswordUpdateFailed(UpstreamError):
    """The identity provider refuses the change, for another reason than the new password."""

    wire = "failed to update password"


class ResetLinkFailed(UpstreamError):
    """The identity provider refuses to send a password reset link."""

    wire = "failed to send password reset link"


class VerificationMailFailed(UpstreamError):
    """The one-time code could not be mailed or stored."""

    wire = "failed to send verification email"


# --- of the service itself --------------------------------------------------------------------


class Overloaded(LimitReached):
    """Too many requests are waiting."""

    wire = "service is overloaded, try again later"


class RequestTimedOut(LimitReached):
    """The request was not finished within its time."""

    wire = "request timed out"


class InternalError(OwnError):
    """An unexpected error; the log has the details."""

    wire = "internal error"


def _leaves(error: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield error
    for child in error.__subclasses__():
        yield from _leaves(child)


WIRES: Final = frozenset(error.wire for error in _leaves(ServiceError) if hasattr(error, "wire"))
"""Every string above: constants, which may stand in a log as they are."""
