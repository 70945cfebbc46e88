# SPDX-License-Identifier: MIT
"""A client of the auth service: typed functions over NATS, exceptions by error string.

    async with await nats.connect() as connection:
        auth = AuthService(connection)
        with within(2.5):
            subject = await auth.email_to_sub("ada@example.org")

It needs nats-py and nothing else. Where OpenTelemetry is installed, requests continue the caller's trace.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nats.errors import NoRespondersError

try:
    from opentelemetry.propagate import inject as _inject
except Exception:  # noqa: BLE001 - not installed, or OTEL_PROPAGATORS names what is not: there are no traces to continue
    _inject = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nats.aio.client import Client

PREFIX: Final = "lfx.auth-service."
PATIENCE: Final = 12.0
"""Seconds. The service answers within ten: who waits a little longer is told what went wrong."""

_PAUSES: Final = (0.5, 2.0)
"""Seconds, at most, before a request that may be repeated is sent for the second and the third time."""

_T = TypeVar("_T")

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class AuthServiceError(Exception):
    """What went wrong, one way or another."""


class Unanswered(AuthServiceError, TimeoutError):
    """No reply came in time. A change may have been made."""


class Unavailable(AuthServiceError):
    """Nobody serves the subject: no replica is connected."""


class MalformedReply(AuthServiceError):
    """What came is no reply of the auth service. A change may have been made."""


class Refused(AuthServiceError):
    """The service says no. `error` is its string; each one has a subclass of its own, but for those yet to come."""

    error: str = ""


BY_ERROR: Final[dict[str, type[Refused]]] = {}


def _refusal(name: str, error: str) -> type[Refused]:
    BY_ERROR[error] = type(name, (Refused,), {"error": error, "__module__": __name__})
    return BY_ERROR[error]


EmailRequired = _refusal("EmailRequired", "email is required")
UsernameRequired = _refusal("UsernameRequired", "username is required")
InputRequired = _refusal("InputRequired", "input is required")
TokenRequired = _refusal("TokenRequired", "token is required")
AuthTokenRequired = _refusal("AuthTokenRequired", "auth_token is required")
MetadataRequired = _refusal("MetadataRequired", "user_metadata is required")
InvalidEmailFormat = _refusal("InvalidEmailFormat", "invalid email format")
AlternateEmailRequired = _refusal("AlternateEmailRequired", "alternate email is required")
InvalidEmail = _refusal("InvalidEmail", "invalid email")
EmailAndCodeRequired = _refusal("EmailAndCodeRequired", "email and OTP are required")
IdentityTokenRequired = _refusal("IdentityTokenRequired", "link_with identity token is required")
ProviderRequired = _refusal("ProviderRequired", "provider is required")
IdentityIdRequired = _refusal("IdentityIdRequired", "identity_id is required")
CurrentPasswordRequired = _refusal("CurrentPasswordRequired", "current_password is required")
NewPasswordRequired = _refusal("NewPasswordRequired", "new_password is required")
SubjectTokenRequired = _refusal("SubjectTokenRequired", "subject_token is required")
TargetUserRequired = _refusal("TargetUserRequired", "target_user is required")
InvalidToken = _refusal("InvalidToken", "invalid token")
TokenExpired = _refusal("TokenExpired", "token has expired")
InvalidIssuer = _refusal("InvalidIssuer", "invalid issuer")
InvalidAudience = _refusal("InvalidAudience", "invalid audience")
MissingScope = _refusal("MissingScope", "missing required scope")
UserNotFound = _refusal("UserNotFound", "user not found")
NotLinked = _refusal("NotLinked", "email is not a linked identity on this account")
NotVerified = _refusal("NotVerified", "email is not verified and cannot be set as primary")
EmailAlreadyLinked = _refusal("EmailAlreadyLinked", "email already linked")
IdentityTokenWithoutSubject = _refusal(
    "IdentityTokenWithoutSubject", "invalid identity token: unable to extract subject"
)
IdentityTokenOfAccount = _refusal(
    "IdentityTokenOfAccount", "the provided identity token belongs to an existing LFID account and cannot be linked"
)
InvalidIdentityToken = _refusal("InvalidIdentityToken", "invalid identity token")
IdentityLinkedElsewhere = _refusal("IdentityLinkedElsewhere", "identity already linked to another user")
IdentityNotFound = _refusal("IdentityNotFound", "identity not found")
SystemManagedIdentity = _refusal("SystemManagedIdentity", "system_managed_identity")
CodeNotFound = _refusal("CodeNotFound", "verification code not found or expired")
WrongCode = _refusal("WrongCode", "invalid verification code")
TooManyGuesses = _refusal("TooManyGuesses", "too many attempts, request a new code")
TooManyAttempts = _refusal("TooManyAttempts", "too many attempts, try again later")
TooManyCodes = _refusal("TooManyCodes", "too many verification requests, try again later")
AliasServiceUnavailable = _refusal("AliasServiceUnavailable", "alias_service_unavailable")
DomainNotAllowed = _refusal("DomainNotAllowed", "domain_not_allowed")
AlreadyClaimed = _refusal("AlreadyClaimed", "already_claimed")
AliasInvalid = _refusal("AliasInvalid", "alias_invalid")
AliasReserved = _refusal("AliasReserved", "alias_reserved")
AliasNotAvailable = _refusal("AliasNotAvailable", "alias_not_available")
IncorrectPassword = _refusal("IncorrectPassword", "incorrect password: current password is incorrect")
NoEmailAddress = _refusal("NoEmailAddress", "user does not have an email address")
PasswordTooWeak = _refusal("PasswordTooWeak", "password does not meet the requirements")
NoDatabaseUser = _refusal("NoDatabaseUser", "password change requires an Auth0 user with a username")
PasswordServiceUnavailable = _refusal("PasswordServiceUnavailable", "password service unavailable")
PasswordChangeUnsupported = _refusal("PasswordChangeUnsupported", "password change is not supported for Authelia users")
ResetLinkUnsupported = _refusal("ResetLinkUnsupported", "password reset link is not supported for Authelia users")
ImpersonationUnavailable = _refusal("ImpersonationUnavailable", "impersonation flow unavailable")
AudienceNotAllowed = _refusal("AudienceNotAllowed", "audience not allowed")
ImpersonationNotAllowed = _refusal("ImpersonationNotAllowed", "impersonation not allowed")
ProviderUnavailable = _refusal("ProviderUnavailable", "identity provider unavailable")
RateLimited = _refusal("RateLimited", "identity provider rate limit reached, try again later")
SearchFailed = _refusal("SearchFailed", "failed to search user")
UpdateFailed = _refusal("UpdateFailed", "failed to update user")
SendCodeFailed = _refusal("SendCodeFailed", "failed to start passwordless flow")
CodeExchangeFailed = _refusal("CodeExchangeFailed", "failed to exchange OTP for token")
LinkFailed = _refusal("LinkFailed", "failed to link identity to user")
UnlinkFailed = _refusal("UnlinkFailed", "failed to unlink identity from user")
GuardFailed = _refusal("GuardFailed", "failed to evaluate system-managed unlink guard")
LinkEmailFailed = _refusal("LinkEmailFailed", "failed to link email identity")
SetPrimaryFailed = _refusal("SetPrimaryFailed", "failed to set primary email")
PasswordUpdateFailed = _refusal("PasswordUpdateFailed", "failed to update password")
ResetLinkFailed = _refusal("ResetLinkFailed", "failed to send password reset link")
VerificationMailFailed = _refusal("VerificationMailFailed", "failed to send verification email")
Overloaded = _refusal("Overloaded", "service is overloaded, try again later")
RequestTimedOut = _refusal("RequestTimedOut", "request timed out")
InternalError = _refusal("InternalError", "internal error")


class MalformedRequest(Refused):
    """The body is not what the subject wants: a mistake of this client, or of its types."""


class ImpersonationRefused(Refused):
    """Auth0 refuses the exchange, in its own words."""


BY_ERROR.update(
    dict.fromkeys(
        (
            "failed to unmarshal change password request",
            "failed to unmarshal email data",
            "failed to unmarshal link identity request",
            "failed to unmarshal reset password link request",
            "failed to unmarshal set primary email request",
            "failed to unmarshal unlink identity request",
            "failed to unmarshal user data",
            "failed_to_unmarshal_request",
            "invalid request",
        ),
        MalformedRequest,
    )
)
_PASSING: Final = (RequestTimedOut, Overloaded)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all requests in the block, together, wait for at most that many seconds, and less in a stricter block."""
    outer, own = _deadline.get(), time.monotonic() + seconds
    token = _deadline.set(own if outer is None else min(outer, own))
    try:
        yield
    finally:
        _deadline.reset(token)


@dataclass(frozen=True, slots=True)
class AlternateEmail:
    """A further address of an account, and whether somebody proved that it is theirs."""

    email: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Emails:
    """The addresses of an account; `primary_email` is empty when it has none."""

    primary_email: str
    alternate_emails: tuple[AlternateEmail, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """A way in which a user signs in. `provider` and `user_id` are what `unlink_identity` takes."""

    provider: str
    user_id: str
    is_social: bool
    email: str = ""
    email_verified: bool = False
    nickname: str = ""
    name: str = ""


class AuthService:
    """Asks the auth service.

    Every method raises Refused, Unanswered, Unavailable or MalformedReply, and what nats-py raises when the connection
    is closed or the request is longer than NATS takes.

    What may be repeated is, twice at most, where the failure may pass and the time allows.
    """

    def __init__(self, connection: Client, *, prefix: str = PREFIX, patience: float = PATIENCE) -> None:
        """Take a connection, the prefix of the subjects, and for how many seconds a request may wait."""
        self._connection = connection
        self._prefix = prefix if prefix.endswith(".") else f"{prefix}."
        self._patience = patience

    async def email_to_username(self, email: str) -> str:
        """Return the username of the user who has the address. Raises UserNotFound."""
        return await self._again("email_to_username", email, _bare)

    async def email_to_sub(self, email: str) -> str:
        """Return the subject identifier of the user who has the address. Raises UserNotFound."""
        return await self._again("email_to_sub", email, _bare)

    async def username_to_sub(self, username: str) -> str:
        """Return the subject identifier that belongs to the username."""
        return await self._again("username_to_sub", username, _bare)

    async def metadata(self, who: str) -> dict[str, str]:
        """Return what a user (a token, subject identifier or username) tells about themselves."""
        return await self._again("user_metadata.read", who, _metadata)

    async def update_metadata(self, token: str, **fields: str) -> dict[str, str]:
        """Change these fields of the token's owner; return all of them."""
        body = {"token": token, "user_metadata": fields}
        return await self._again("user_metadata.update", body, _metadata)

    async def emails(self, who: str) -> Emails:
        """Return the addresses of a user (a token, subject identifier or username)."""
        return await self._again("user_emails.read", _user(who), _emails)

    async def set_primary_email(self, token: str, email: str) -> None:
        """Make a verified, linked address the primary one."""
        await self._again("user_emails.set_primary", {**_user(token), "email": email}, _done)

    async def send_verification(self, email: str) -> None:
        """Send a one-time code to an address that no account has yet. Raises EmailAlreadyLinked."""
        await self._ask("email_linking.send_verification", email, _done)

    async def verify_email(self, email: str, code: str) -> str:
        """Return the identity token for which the code is exchanged; `link_identity` takes it."""
        body = {"email": email, "otp": code}
        return await self._ask("email_linking.verify", body, lambda reply: _bare(reply["data"]["id_token"]))

    async def identities(self, who: str) -> list[Identity]:
        """Return the identities of a user (a token, subject identifier or username)."""
        return await self._again("user_identity.list", _user(who), _identities)

    async def link_identity(self, token: str, identity_token: str) -> None:
        """Link an identity to the token's owner. Raises IdentityLinkedElsewhere."""
        body = {**_user(token), "link_with": {"identity_token": identity_token}}
        await self._again("user_identity.link", body, _done)

    async def unlink_identity(self, token: str, provider: str, identity_id: str) -> None:
        """Remove an identity from the token's owner. Raises IdentityNotFound."""
        unlink = {"provider": provider, "identity_id": identity_id}
        await self._ask("user_identity.unlink", {**_user(token), "unlink": unlink}, _done)

    async def add_alias(self, token: str, alias: str, domain: str) -> str:
        """Give the token's owner an address in one of the platform's domains; return it."""
        body = {**_user(token), "alias": alias, "domain": domain}
        return await self._ask("add_alias", body, lambda reply: _bare(reply["email"]))

    async def update_password(self, token: str, current: str, new: str) -> None:
        """Change the password. Raises IncorrectPassword, PasswordTooWeak."""
        body = {"token": token, "current_password": current, "new_password": new}
        await self._ask("password.update", body, _done)

    async def send_reset_link(self, token: str) -> None:
        """Mail the token's owner a link by which the password can be replaced."""
        await self._ask("password.reset_link", {"token": token}, _done)

    async def impersonate(self, subject_token: str, target_user: str, audience: str = "") -> str:
        """Return an access token of another user, for the platform's API unless another `audience` is asked for."""
        body = {"subject_token": subject_token, "target_user": target_user, "audience": audience}
        try:
            return await self._ask(
                "impersonation.token_exchange", body, lambda reply: _bare(reply["data"]["access_token"])
            )
        except Refused as refused:
            if type(refused) is Refused:
                raise ImpersonationRefused(refused.error) from None
            raise

    async def send(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Send a body as it is, once, and return the reply as it came: for whatever no other function sends.

        Raises Unanswered and Unavailable. A refusal is a reply like any other.
        """
        told = dict(headers or {})
        if _inject is not None:
            _inject(told)
        left = self._left()
        if left <= 0:
            raise Unanswered(f"no time was left to ask {subject}")
        try:
            reply = await self._connection.request(f"{self._prefix}{subject}", body, timeout=left, headers=told or None)
        except NoRespondersError:
            raise Unavailable(f"nobody serves {subject}") from None
        except TimeoutError:
            raise Unanswered(f"no reply from {subject} within {left:.3g} s") from None
        return reply.data

    async def _again(self, subject: str, body: str | Mapping[str, object], take: Callable[[Any], _T]) -> _T:
        for pause in _PAUSES:
            try:
                return await self._ask(subject, body, take)
            except (Unanswered, Unavailable, *_PASSING):
                pause = random.uniform(0, pause)  # noqa: S311, PLW2901 - so that callers do not come back in step
                if self._left() <= pause:
                    raise
            await asyncio.sleep(pause)
        return await self._ask(subject, body, take)

    def _left(self) -> float:
        """Return for how many seconds a request may wait now."""
        deadline = _deadline.get()
        return self._patience if deadline is None else min(self._patience, deadline - time.monotonic())

    async def _ask(self, subject: str, body: str | Mapping[str, object], take: Callable[[Any], _T]) -> _T:
        payload = body if isinstance(body, str) else json.dumps(body)
        # Half of a surrogate pair is no text; the service says so.
        reply = await self.send(subject, payload.encode(errors="surrogatepass"))
        try:
            return take(_read(reply))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise MalformedReply(f"{subject} was answered by what is no reply of the auth service") from None


def _read(reply: bytes) -> Any:  # noqa: ANN401 - text or JSON
    text = reply.decode()
    if not text.startswith("{"):
        return text
    answer = json.loads(text)
    if _of(bool, answer["success"]):
        return answer
    error = _of(str, answer["error"])
    refused = BY_ERROR.get(error, Refused)(error)
    refused.error = error
    raise refused


def _of(kind: type[_T], value: object) -> _T:
    """Return a value of that type. Raises TypeError for any other."""
    if not isinstance(value, kind):
        raise TypeError
    return value


def _bare(value: object) -> str:
    if not (text := _of(str, value)):
        raise ValueError
    return text


def _done(reply: object) -> None:
    _of(dict, reply)


def _metadata(reply: Any) -> dict[str, str]:  # noqa: ANN401 - text or JSON
    return {name: _of(str, value) for name, value in _of(dict, reply["data"]).items() if value is not None}


def _emails(reply: Any) -> Emails:  # noqa: ANN401 - text or JSON
    data = reply["data"]
    found = (
        AlternateEmail(_of(str, one["email"]), _of(bool, one["verified"]))
        for one in _of(list, data["alternate_emails"])
    )
    return Emails(_of(str, data["primary_email"]), tuple(found))


def _identities(reply: Any) -> list[Identity]:  # noqa: ANN401 - text or JSON
    return [_identity(_of(dict, one)) for one in _of(list, reply["data"])]


def _identity(one: dict[str, Any]) -> Identity:
    profile = _of(dict, one.get("profileData") or {})
    kinds: dict[str, type[Any]] = {"email": str, "email_verified": bool, "nickname": str, "name": str}
    told = {name: _of(kind, profile[name]) for name, kind in kinds.items() if profile.get(name) is not None}
    return Identity(_of(str, one["provider"]), _of(str, one["user_id"]), _of(bool, one["isSocial"]), **told)


def _user(token: str) -> dict[str, object]:
    return {"user": {"auth_token": token}}
