# SPDX-License-Identifier: MIT
"""Aliases: addresses of users in the domains of the platform."""

from pydantic import Field

from app.bus.replies import Reply
from app.domain.errors import (
    AliasInvalid,
    AliasNotAvailable,
    AliasReserved,
    AliasServiceUnavailable,
    AlreadyClaimed,
    AuthTokenRequired,
    DomainNotAllowed,
    LinkEmailFailed,
)
from routers.inject import Aliases
from routers.subject import TOKEN_ERRORS, Caller, CallerField, Example, Request, Router, Text, missing

router = Router("Aliases")


class AddAlias(Request):
    """Which address is wanted."""

    user: CallerField = Field(Caller(), description="Whose account it is.")
    alias: Text = Field(
        "",
        description="The part before the at sign: at most 64 characters, an RFC 5322 dot-atom.",
        examples=["ada.lovelace"],
        json_schema_extra=missing(AliasInvalid),
    )
    domain: Text = Field(
        "",
        description="One of the domains in which aliases are given.",
        examples=["linux.com"],
        json_schema_extra=missing(DomainNotAllowed),
    )


class AliasAdded(Reply):
    """The alias is the account's."""

    email: str = Field(description="The whole address, lower-case.")


@router.subject(
    "add_alias",
    malformed="failed_to_unmarshal_request",
    unavailable=(AliasServiceUnavailable,),
    errors=(
        AuthTokenRequired,
        DomainNotAllowed,
        *TOKEN_ERRORS,
        AlreadyClaimed,
        AliasInvalid,
        AliasReserved,
        AliasNotAvailable,
        LinkEmailFailed,
    ),
    example=Example(
        send={"user": {"auth_token": "eyJ…"}, "alias": "ada.lovelace", "domain": "linux.com"},
        reply={"success": True, "email": "ada.lovelace@linux.com"},
    ),
)
async def add_alias(request: AddAlias, aliases: Aliases) -> AliasAdded:
    """Give the caller's account an address in one of the platform's domains.

    Needs the scope `update:current_user_identities`. One alias per account and domain; its owner cannot remove it.
    """
    return AliasAdded(email=await aliases.add(request.user.auth_token, request.alias, request.domain))
