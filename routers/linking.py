# SPDX-License-Identifier: MIT
"""Identities of an account: list, link and unlink."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from app.domain.errors import (
    AuthTokenRequired,
    GuardFailed,
    IdentityIdRequired,
    IdentityLinkedElsewhere,
    IdentityNotFound,
    IdentityTokenOfAccount,
    IdentityTokenRequired,
    IdentityTokenWithoutSubject,
    InvalidIdentityToken,
    LinkFailed,
    ProviderRequired,
    SystemManagedIdentity,
    UnlinkFailed,
)
from app.domain.users import Identity
from routers.inject import Linking
from routers.subject import (
    READ_ERRORS,
    TOKEN_ERRORS,
    Caller,
    CallerField,
    Data,
    Done,
    Example,
    ReadRequest,
    Request,
    Router,
    Text,
    missing,
    null_is_missing,
)

router = Router("Identities")


class ProfileData(BaseModel):
    """What the identity's provider says of the user; each field is left out when it is empty or false."""

    email: str | None = Field(None, description="E-mail address.")
    email_verified: bool | None = Field(None, description="True when the provider has verified the address.")
    nickname: str | None = Field(None, description="Nickname.")
    name: str | None = Field(None, description="Full name.")


class LinkedIdentity(BaseModel):
    """A way in which the user signs in, or an address that is theirs."""

    provider: str = Field(description="Who vouches for the identity, for example `google-oauth2` or `email`.")
    user_id: str = Field(description="The identity's id there; what `user_identity.unlink` takes as `identity_id`.")
    isSocial: bool = Field(description="Whether the provider is a social network.")  # noqa: N815 - the wire's name
    profileData: ProfileData | None = Field(  # noqa: N815 - the wire's name
        None, description="Left out when it would have neither e-mail, nickname nor name."
    )

    @classmethod
    def of(cls, identity: Identity) -> "LinkedIdentity":
        """Return the wire form of an identity."""
        profile = ProfileData.model_construct(
            email=identity.email or None,
            email_verified=identity.email_verified or None,
            nickname=identity.nickname or None,
            name=identity.name or None,
        )
        told = identity.email or identity.nickname or identity.name
        return cls.model_construct(
            provider=identity.provider,
            user_id=identity.identity_id,
            isSocial=identity.is_social,
            profileData=profile if told else None,
        )


@router.subject(
    "user_identity.list",
    malformed="failed_to_unmarshal_request",
    errors=(AuthTokenRequired, *READ_ERRORS),
    example=Example(
        send={"user": {"auth_token": "auth0|ada"}},
        reply={
            "success": True,
            "data": [
                {
                    "provider": "google-oauth2",
                    "user_id": "1029",
                    "isSocial": True,
                    "profileData": {
                        "email": "ada@gmail.example",
                        "email_verified": True,
                        "nickname": "ada",
                        "name": "Ada Lovelace",
                    },
                }
            ],
        },
    ),
)
async def list_identities(request: ReadRequest, linking: Linking) -> Data[list[LinkedIdentity]]:
    """List the identities of a user, in stored order.

    `auth_token` may be a token, a subject identifier or a username.
    """
    identities = await linking.list(request.user.auth_token)
    return Data.model_construct(data=[LinkedIdentity.of(identity) for identity in identities])


class IdentityProof(Request):
    """What proves the identity."""

    identity_token: Text = Field(
        "",
        description="The identity's ID token, a JWT: of a social provider, or from `email_linking.verify`.",
        examples=["eyJ…"],
        json_schema_extra=missing(IdentityTokenRequired),
    )


class LinkIdentity(Request):
    """Which identity is linked to whose account."""

    user: CallerField = Field(Caller(), description="Whose account it is.")
    link_with: Annotated[
        IdentityProof, BeforeValidator(null_is_missing, json_schema_input_type=IdentityProof | None)
    ] = Field(IdentityProof(), description="The identity to link.")


@router.subject(
    "user_identity.link",
    malformed="failed to unmarshal link identity request",
    errors=(
        AuthTokenRequired,
        IdentityTokenRequired,
        IdentityTokenWithoutSubject,
        IdentityTokenOfAccount,
        *TOKEN_ERRORS,
        InvalidIdentityToken,
        IdentityLinkedElsewhere,
        LinkFailed,
    ),
    example=Example(
        send={"user": {"auth_token": "eyJ…"}, "link_with": {"identity_token": "eyJ…"}},
        reply={"success": True, "message": "identity linked successfully"},
    ),
)
async def link(request: LinkIdentity, linking: Linking) -> Done:
    """Link an identity to the caller's account.

    Needs the scope `update:current_user_identities`. Linking what is linked to the same account already succeeds
    and changes nothing.
    """
    await linking.link(request.user.auth_token, request.link_with.identity_token)
    return Done("identity linked successfully")


class IdentityReference(Request):
    """Which identity."""

    provider: Text = Field(
        "",
        description="Who vouches for it, as `user_identity.list` gives it.",
        examples=["google-oauth2"],
        json_schema_extra=missing(ProviderRequired),
    )
    identity_id: Text = Field(
        "",
        description="Its id there: the `user_id` that `user_identity.list` gives.",
        examples=["1029"],
        json_schema_extra=missing(IdentityIdRequired),
    )


class UnlinkIdentity(Request):
    """Which identity is removed from whose account."""

    user: CallerField = Field(Caller(), description="Whose account it is.")
    unlink: Annotated[
        IdentityReference, BeforeValidator(null_is_missing, json_schema_input_type=IdentityReference | None)
    ] = Field(IdentityReference(), description="The identity to remove.")


@router.subject(
    "user_identity.unlink",
    malformed="failed to unmarshal unlink identity request",
    errors=(
        AuthTokenRequired,
        *TOKEN_ERRORS,
        ProviderRequired,
        IdentityIdRequired,
        SystemManagedIdentity,
        GuardFailed,
        IdentityNotFound,
        UnlinkFailed,
    ),
    example=Example(
        send={"user": {"auth_token": "eyJ…"}, "unlink": {"provider": "google-oauth2", "identity_id": "1029"}},
        reply={"success": True, "message": "identity unlinked successfully"},
    ),
)
async def unlink(request: UnlinkIdentity, linking: Linking) -> Done:
    """Remove an identity from the caller's account.

    Needs the scope `update:current_user_identities`. An alias is managed by the system and stays.
    """
    await linking.unlink(request.user.auth_token, request.unlink.provider, request.unlink.identity_id)
    return Done("identity unlinked successfully")
