# SPDX-License-Identifier: MIT
"""Auth0's users as they come over the wire, and what they are here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.domain.errors import ProviderUnavailable
from app.domain.metadata import known
from app.domain.users import EMAIL, Identity, User
from providers.auth0.errors import Trouble

if TYPE_CHECKING:
    from providers.auth0.answers import Answer

DATABASE: Final = "Username-Password-Authentication"
"""The connection of the tenant's own users, who have a username and a password."""

_MAX_DIGITS: Final = 64


class Wire(BaseModel):
    """What is read of an object; a member of a wrong type makes the whole answer unusable."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class WireProfile(Wire):
    """The profile that a linked identity brought along."""

    email: str | None = None
    email_verified: bool | str | None = None  # some social providers send the words; only JSON's `true` counts
    nickname: str | None = None
    name: str | None = None


class WireIdentity(Wire):
    """An identity of a user."""

    provider: str
    user_id: str | int | Decimal
    connection: str | None = None
    is_social: bool | None = Field(None, alias="isSocial")
    profile: WireProfile | None = Field(None, alias="profileData")


class WireAppMetadata(Wire):
    """What the platform keeps about a user."""

    system_managed: bool | None = None


class WireUser(Wire):
    """A user."""

    user_id: str = Field(min_length=1)
    username: str | None = None
    email: str | None = None
    email_verified: bool | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: WireAppMetadata | None = None
    identities: list[WireIdentity] | None = None
    created_at: str | None = None

    @property
    def system_managed(self) -> bool:
        """Whether the platform made this user for an alias."""
        return self.app_metadata is not None and self.app_metadata.system_managed is True

    @property
    def only_email(self) -> bool:
        """Whether the user is an address and nothing else: every identity is an e-mail identity."""
        return bool(self.identities) and all(i.connection == EMAIL == i.provider for i in self.identities or ())

    @property
    def is_linked(self) -> bool:
        """Whether other identities hang on this user."""
        return len(self.identities or ()) != 1

    def created(self) -> float | None:
        """Return when the user was made (Unix seconds), None when that is not told."""
        try:
            return datetime.fromisoformat(self.created_at or "").timestamp()
        except ValueError:
            return None


_USER: Final = TypeAdapter(WireUser)
_USERS: Final = TypeAdapter(list[WireUser])


def _unusable(error: ValidationError) -> ProviderUnavailable:
    """Return the failure for an answer of the wrong shape; says where it is wrong, not what stands there."""
    where = {".".join(str(part) for part in problem["loc"] if isinstance(part, str)) for problem in error.errors()}
    failure = ProviderUnavailable()
    failure.__cause__ = Trouble(f"unexpected types in: {', '.join(sorted(where)[:5])}")
    return failure


def read_user(answer: Answer) -> WireUser:
    """Return the user in `answer`. Raises ProviderUnavailable when it holds something else."""
    try:
        return _USER.validate_python(answer.json())
    except ValidationError as error:
        raise _unusable(error) from None


def read_users(answer: Answer) -> list[WireUser]:
    """Return the users in `answer`, a list. Raises ProviderUnavailable when it holds something else."""
    try:
        return _USERS.validate_python(answer.json())
    except ValidationError as error:
        raise _unusable(error) from None


def to_user(wire: WireUser) -> User:
    """Return the user in the form in which all providers give it."""
    identities = wire.identities or []
    return User(
        user_id=wire.user_id,
        username=wire.username or "",
        primary_email=wire.email or "",
        user_metadata=known(wire.user_metadata or {}),
        identities=tuple(to_identity(identity, wire, first=n == 0) for n, identity in enumerate(identities)),
    )


def to_identity(identity: WireIdentity, user: WireUser, *, first: bool) -> Identity:
    """Return an identity of `user`. The first is the account itself and carries no profile of its own."""
    profile = identity.profile or WireProfile()
    email, verified = profile.email or "", profile.email_verified is True
    if first and identity.connection == EMAIL:
        email, verified = user.email or "", user.email_verified is True
    return Identity(
        provider=identity.provider,
        identity_id=exact(identity.user_id),
        connection=identity.connection or "",
        email=email,
        email_verified=verified,
        nickname=profile.nickname or "",
        name=profile.name or "",
        is_social=identity.is_social is True,
        is_account=first,
    )


def exact(identity_id: str | int | Decimal) -> str:
    """Return an identity's id as a string: a number by its exact decimal digits.

    Raises:
        ProviderUnavailable: a number that is no number of digits, or of too many.
    """
    if isinstance(identity_id, str):
        return identity_id
    if isinstance(identity_id, Decimal) and abs(identity_id.adjusted()) > _MAX_DIGITS:
        raise ProviderUnavailable
    return format(identity_id, "f" if isinstance(identity_id, Decimal) else "d")


def has_database_identity(wire: WireUser) -> bool:
    """Whether the user signs in with a password of the tenant."""
    return any(identity.connection == DATABASE for identity in wire.identities or ())
