# SPDX-License-Identifier: MIT
"""Tokens with which somebody acts as another user."""

from pydantic import BaseModel, Field

from app.bus.bodies import read
from app.domain.errors import (
    AudienceNotAllowed,
    ImpersonationNotAllowed,
    ImpersonationRefused,
    ImpersonationUnavailable,
    InvalidAudience,
    InvalidIssuer,
    InvalidToken,
    SubjectTokenRequired,
    TargetUserRequired,
    TokenExpired,
    UserNotFound,
)
from routers.inject import Impersonation
from routers.subject import UPSTREAM_ERRORS, Data, Example, Request, Router, Text, missing

router = Router("Impersonation")


class ExchangeToken(Request):
    """Who wants to act as whom."""

    subject_token: Text = Field(
        "",
        description="The token of the user who wants to act as another.",
        examples=["eyJ…"],
        json_schema_extra=missing(SubjectTokenRequired),
    )
    target_user: Text = Field(
        "",
        description="The other user: an e-mail or a username.",
        examples=["ada@example.org"],
        json_schema_extra=missing(TargetUserRequired),
    )
    audience: Text = Field(
        "",
        description="For which API the token is to be, where more than the platform's own may be asked for.",
        examples=["https://insights-api.example/"],
    )


def asked_in(body: bytes) -> tuple[str, str]:
    """Return whom a request is about, and the audience that it asks for; empty strings when it cannot be read."""
    try:
        request = read(ExchangeToken, body)
    except ValueError:
        return "", ""
    return request.target_user, request.audience


class AccessToken(BaseModel):
    """A token of the other user."""

    access_token: str = Field(description="The access token.")


@router.subject(
    "impersonation.token_exchange",
    malformed="invalid request",
    unavailable=(ImpersonationUnavailable,),
    errors=(
        SubjectTokenRequired,
        TargetUserRequired,
        AudienceNotAllowed,
        InvalidToken,
        TokenExpired,
        InvalidIssuer,
        InvalidAudience,
        ImpersonationNotAllowed,
        ImpersonationRefused,
        UserNotFound,
        *UPSTREAM_ERRORS,
    ),
    example=Example(
        send={"subject_token": "eyJ…", "target_user": "ada@example.org"},
        reply={"success": True, "data": {"access_token": "eyJ…"}},
    ),
)
async def token_exchange(request: ExchangeToken, impersonation: Impersonation) -> Data[AccessToken]:
    """Exchange a user's token for one of another user.

    Every attempt, granted or refused, leaves an audit record.
    """
    token = await impersonation.exchange(request.subject_token, request.target_user, request.audience)
    return Data(data=AccessToken(access_token=token))
