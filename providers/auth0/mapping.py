# SPDX-License-Identifier: MIT
"""Maps Auth0's users to the model of this service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import ProviderUnavailable
from app.domain.metadata import known
from app.domain.users import EMAIL, Identity, User
from providers.auth0.odd_fields import Fields, Oddities, as_text
from providers.auth0.tenant.errors import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.auth0.tenant.answers import Answer

DATABASE: Final = "Username-Password-Authentication"
"""The connection of the tenant's own users, who have a username and a password."""

_NOBODY: Final = "user"
"""The field that is odd where a user cannot be read at all."""


@dataclass(frozen=True, slots=True)
class WireIdentity:
    """An identity of a user; what is missing or not understood is empty."""

    provider: str = ""
    user_id: str = ""
    connection: str = ""
    is_social: bool = False
    email: str = ""
    email_verified: bool = False
    nickname: str = ""
    name: str = ""

    @classmethod
    def read(cls, fields: Fields) -> WireIdentity:
        """Read an identity with the profile that it brought along."""
        profile = fields.fields("profileData")
        return cls(
            provider=fields.text("provider"),
            user_id=fields.text("user_id"),
            connection=fields.text("connection"),
            is_social=fields.flag("isSocial"),
            email=profile.text("email"),
            email_verified=profile.verified("email_verified"),
            nickname=profile.text("nickname"),
            name=profile.text("name"),
        )


@dataclass(frozen=True, slots=True)
class WireUser:
    """A user; what is missing or not understood is empty. An identity that is no object keeps its place as None."""

    user_id: str
    username: str
    email: str
    email_verified: bool
    user_metadata: Mapping[str, Any]
    system_managed: bool
    """Whether the platform made this user for an alias."""

    identities: tuple[WireIdentity | None, ...]
    created_at: str

    @classmethod
    def read(cls, user_id: str, fields: Fields) -> WireUser:
        """Read a user whose id is known."""
        return cls(
            user_id=user_id,
            username=fields.text("username"),
            email=fields.text("email"),
            email_verified=fields.verified("email_verified"),
            user_metadata=fields.members("user_metadata"),
            system_managed=fields.fields("app_metadata").flag("system_managed"),
            identities=tuple(
                None if entry is None else WireIdentity.read(entry) for entry in fields.entries("identities")
            ),
            created_at=fields.text("created_at"),
        )

    @property
    def only_email(self) -> bool:
        """Whether the user is an address and nothing else: every identity is an e-mail identity."""
        return bool(self.identities) and all(
            i is not None and i.connection == EMAIL == i.provider for i in self.identities
        )

    @property
    def is_linked(self) -> bool:
        """Whether other identities hang on this user."""
        return len(self.identities) != 1

    @property
    def has_database_identity(self) -> bool:
        """Whether the user signs in with a password of the tenant."""
        return any(i is not None and i.connection == DATABASE for i in self.identities)

    def is_called(self, username: str) -> bool:
        """Whether the user signs in with a password of the tenant under exactly that name."""
        return any(i is not None and (i.connection, i.user_id) == (DATABASE, username) for i in self.identities)

    def has(self, subject: str) -> bool:
        """Whether one of the user's identities is that of the subject identifier."""
        return any(i is not None and f"{i.provider}|{i.user_id}" == subject for i in self.identities)

    def created(self) -> float | None:
        """Return when the user was made (Unix seconds), None when that is not told."""
        try:
            return datetime.fromisoformat(self.created_at).timestamp()
        except (ValueError, OverflowError, OSError):
            return None


class UserReader:
    """Reads users out of answers, field by field."""

    def __init__(self, oddities: Oddities) -> None:
        """Take what takes note of fields that do not hold what they should."""
        self._oddities = oddities

    def one(self, answer: Answer, known_as: str = "") -> WireUser:
        """Return the user in `answer`, whose id is `known_as` when the answer does not tell it.

        Raises:
            ProviderUnavailable: it holds no user. To repeat the call would change nothing.
        """
        user = self._read(answer.json(), known_as)
        if user is None:
            raise _unusable("a user")
        return user

    def all(self, answer: Answer) -> list[WireUser]:
        """Return the users in `answer`, a list; an entry that is no user is left out.

        Raises ProviderUnavailable when it holds no list.
        """
        entries = answer.json()
        if not isinstance(entries, list):
            raise _unusable("a list of users")
        return [user for entry in entries if (user := self._read(entry, "")) is not None]

    def _read(self, content: object, known_as: str) -> WireUser | None:
        user_id = (as_text(content.get("user_id")) if isinstance(content, dict) else None) or known_as
        if not isinstance(content, dict) or not user_id:
            self._oddities.note(known_as, _NOBODY, understood=False)
            return None
        fields = Fields(content, self._oddities.of(user_id))
        fields.text("user_id")  # takes note of an odd one
        return WireUser.read(user_id, fields)


def _unusable(wanted: str) -> ProviderUnavailable:
    failure = ProviderUnavailable()
    failure.__cause__ = Trouble(f"the answer is not {wanted}")
    return failure


def to_user(wire: WireUser) -> User:
    """Return the user in the form in which all providers give it."""
    return User(
        user_id=wire.user_id,
        username=wire.username,
        primary_email=wire.email,
        user_metadata=known(wire.user_metadata),
        identities=tuple(
            to_identity(identity, wire, first=n == 0)
            for n, identity in enumerate(wire.identities)
            if identity is not None
        ),
    )


def to_identity(identity: WireIdentity, user: WireUser, *, first: bool) -> Identity:
    """Return an identity of `user`. The first is the account itself and carries no profile of its own."""
    of_account = first and identity.connection == EMAIL
    return Identity(
        provider=identity.provider,
        identity_id=identity.user_id,
        connection=identity.connection,
        email=user.email if of_account else identity.email,
        email_verified=user.email_verified if of_account else identity.email_verified,
        nickname=identity.nickname,
        name=identity.name,
        is_social=identity.is_social,
        is_account=first,
    )
