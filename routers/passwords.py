# SPDX-License-Identifier: MIT
"""Changes of passwords, and links to reset them."""

from pydantic import Field

from app.domain.errors import (
    CurrentPasswordRequired,
    IncorrectPassword,
    NewPasswordRequired,
    NoDatabaseUser,
    NoEmailAddress,
    PasswordChangeUnsupported,
    PasswordServiceUnavailable,
    PasswordTooWeak,
    PasswordUpdateFailed,
    ResetLinkFailed,
    ResetLinkUnsupported,
    TokenRequired,
    TooManyAttempts,
)
from routers.inject import PasswordResets, Passwords
from routers.subject import TOKEN_ERRORS, Done, Example, Request, Router, Text, missing

router = Router("Passwords")


class ChangePassword(Request):
    """The current and the new password, both used exactly as sent."""

    token: Text = Field(
        "", description="The user's token.", examples=["eyJ…"], json_schema_extra=missing(TokenRequired)
    )
    current_password: Text = Field(
        "",
        description="The password as it is. Blank counts as missing.",
        json_schema_extra=missing(CurrentPasswordRequired),
    )
    new_password: Text = Field(
        "",
        description="The password as it shall be. Blank counts as missing.",
        json_schema_extra=missing(NewPasswordRequired),
    )


@router.subject(
    "password.update",
    malformed="failed to unmarshal change password request",
    unavailable=(PasswordChangeUnsupported,),
    errors=(
        TokenRequired,
        CurrentPasswordRequired,
        NewPasswordRequired,
        *TOKEN_ERRORS,
        NoDatabaseUser,
        IncorrectPassword,
        TooManyAttempts,
        PasswordTooWeak,
        PasswordUpdateFailed,
    ),
    example=Example(
        send={"token": "eyJ…", "current_password": "correct horse", "new_password": "battery staple"},
        reply={"success": True, "message": "password updated successfully"},
    ),
)
async def update(request: ChangePassword, passwords: Passwords) -> Done:
    """Change the caller's password.

    Needs the scope `update:current_user_metadata`. The current password is checked first.
    """
    await passwords.update(request.token, request.current_password, request.new_password)
    return Done("password updated successfully")


class SendResetLink(Request):
    """Who wants a new password."""

    token: Text = Field(
        "", description="The user's token.", examples=["eyJ…"], json_schema_extra=missing(TokenRequired)
    )


@router.subject(
    "password.reset_link",
    malformed="failed to unmarshal reset password link request",
    unavailable=(PasswordServiceUnavailable, ResetLinkUnsupported),
    errors=(TokenRequired, *TOKEN_ERRORS, NoEmailAddress, ResetLinkFailed),
    example=Example(
        send={"token": "eyJ…"}, reply={"success": True, "message": "password reset link sent successfully"}
    ),
)
async def reset_link(request: SendResetLink, resets: PasswordResets) -> Done:
    """Mail the caller a link by which the password can be replaced.

    Needs the scope `update:current_user_metadata`. The link goes to the account's primary e-mail.
    """
    await resets.send_link(request.token)
    return Done("password reset link sent successfully")
