# SPDX-License-Identifier: MIT
"""The model of a user, the same for all providers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NewType

from pydantic import BaseModel, ConfigDict, Field

from app.domain.spellings import comparable

if TYPE_CHECKING:
    from collections.abc import Mapping

Address = NewType("Address", str)
"""An e-mail address that has passed `addresses.parse_address`: valid, trimmed, lower-case. Compared by `spellings`."""

EMAIL: Final = "email"
"""The connection of an e-mail identity, and the provider in its subject identifier."""


class UserMetadata(BaseModel):
    """What a user tells about themselves. A field that is not set is absent."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    picture: str | None = Field(None, description="Address of a picture of the user.")
    zoneinfo: str | None = Field(None, description="Time zone, as in the IANA database.")
    name: str | None = Field(None, description="Full name.")
    given_name: str | None = Field(None, description="Given name.")
    family_name: str | None = Field(None, description="Family name.")
    job_title: str | None = Field(None, description="Job title.")
    organization: str | None = Field(None, description="Organization the user works for.")
    organization_domain: str | None = Field(None, description="Internet domain of the organization.")
    country: str | None = Field(None, description="Country.")
    state_province: str | None = Field(None, description="State or province.")
    city: str | None = Field(None, description="City.")
    address: str | None = Field(None, description="Postal address, street and number.")
    postal_code: str | None = Field(None, description="Postal code.")
    phone_number: str | None = Field(None, description="Telephone number.")
    t_shirt_size: str | None = Field(None, description="T-shirt size.")
    bio: str | None = Field(None, description="About the user; cut to 2,000 characters.")
    skills: str | None = Field(None, description="Comma-separated skills; at most 50, each kept once.")

    @classmethod
    def of(cls, stored: Mapping[str, str]) -> UserMetadata:
        """Return the model of metadata that has passed `metadata.known`. Checking again is faster than not checking."""
        return cls.model_validate(stored)


METADATA_FIELDS: Final = frozenset(UserMetadata.model_fields)


@dataclass(frozen=True, slots=True)
class Identity:
    """A way to sign in, or an address of the user.

    An alternate e-mail is an identity whose `connection` is `email`. `identity_id` is the part of the
    identity's subject after the bar, always a string.
    """

    provider: str
    identity_id: str
    connection: str = ""
    email: str = ""
    email_verified: bool = False
    nickname: str = ""
    name: str = ""
    is_social: bool = False
    is_account: bool = False
    """Whether this is the account itself. Its address is the primary e-mail and not an alternate."""

    @property
    def is_email(self) -> bool:
        """Whether this is an alternate e-mail."""
        return self.connection == EMAIL and bool(self.email) and not self.is_account


@dataclass(frozen=True, slots=True)
class User:
    """A user. `user_id` is the subject identifier, for example `auth0|ada`."""

    user_id: str
    username: str = ""
    primary_email: str = ""
    user_metadata: Mapping[str, str] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()

    @property
    def alternate_emails(self) -> tuple[Identity, ...]:
        """The e-mail identities, in stored order."""
        return tuple(identity for identity in self.identities if identity.is_email)

    def email_identity(self, address: Address) -> Identity | None:
        """Find the e-mail identity of `address`, a verified one first."""
        key = comparable(address)
        found = [i for i in self.alternate_emails if comparable(i.email) == key]
        return max(found, key=lambda identity: identity.email_verified, default=None)

    def identity(self, provider: str, identity_id: str) -> Identity | None:
        """Find the identity with that provider and id."""
        return next((i for i in self.identities if (i.provider, i.identity_id) == (provider, identity_id)), None)
