# SPDX-License-Identifier: MIT
"""Reads and changes of user profiles."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from app.domain.errors import InputRequired, MetadataRequired, TokenRequired, UpdateFailed
from app.domain.users import UserMetadata
from routers.inject import Metadata
from routers.subject import READ_ERRORS, TOKEN_ERRORS, Data, Example, Request, Router, Text, missing

router = Router("User metadata")

Reference = Annotated[
    str,
    Field(
        description="A token, a subject identifier or a username.",
        examples=["auth0|ada", "ada", "eyJ…"],
        json_schema_extra=missing(InputRequired),
    ),
]


class UpdateMetadata(Request):
    """What is to change on whose profile. Other fields are accepted and ignored."""

    token: Text = Field(
        "",
        description="The user's token. It alone decides whose profile changes.",
        examples=["eyJ…"],
        json_schema_extra=missing(TokenRequired),
    )
    username: Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")] = Field(
        "",
        description="Whose profile it is, where a client's token may say so; ignored otherwise.",
    )
    user_metadata: UserMetadata | None = Field(
        None,
        description="The fields to change. One that is absent or null stays as it is; the empty string is a value. "
        "A field may take 48 KiB as it stands in JSON.",
        json_schema_extra=missing(MetadataRequired),
    )


@router.subject(
    "user_metadata.read",
    errors=(InputRequired, *READ_ERRORS),
    example=Example(
        send="auth0|ada", reply={"success": True, "data": {"name": "Ada Lovelace", "city": "London", "country": "GB"}}
    ),
)
async def read(reference: Reference, metadata: Metadata) -> Data[UserMetadata]:
    """Read a user's metadata.

    The body is a token, a subject identifier or a username. `data` is `{}` when there is nothing.
    """
    return Data(data=UserMetadata.of(await metadata.read(reference)))


@router.subject(
    "user_metadata.update",
    malformed="failed to unmarshal user data",
    errors=(TokenRequired, MetadataRequired, *TOKEN_ERRORS, UpdateFailed),
    example=Example(
        send={"token": "eyJ…", "user_metadata": {"city": "Oslo"}},
        reply={"success": True, "data": {"name": "Ada Lovelace", "city": "Oslo", "country": "GB"}},
    ),
)
async def update(request: UpdateMetadata, metadata: Metadata) -> Data[UserMetadata]:
    """Change the caller's own metadata.

    Needs the scope `update:current_user_metadata`. `data` is the whole metadata after the change. After it,
    `lfx.user_profile.updated` is published. When no known field is left, nothing is written and nothing published.
    """
    change = None if request.user_metadata is None else request.user_metadata.model_dump(exclude_none=True)
    return Data(data=UserMetadata.of(await metadata.update(request.token, change, request.username)))
