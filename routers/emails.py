# SPDX-License-Identifier: MIT
"""A user's e-mail addresses."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.domain.errors import (
    AlternateEmailRequired,
    AuthTokenRequired,
    CodeExchangeFailed,
    CodeNotFound,
    EmailAlreadyLinked,
    EmailAndCodeRequired,
    EmailRequired,
    InvalidEmail,
    InvalidEmailFormat,
    NotLinked,
    NotVerified,
    SearchFailed,
    SendCodeFailed,
    SetPrimaryFailed,
    TooManyAttempts,
    TooManyCodes,
    TooManyGuesses,
    VerificationMailFailed,
    WrongCode,
)
from routers.inject import EmailLinking, Emails
from routers.subject import (
    READ_ERRORS,
    TOKEN_ERRORS,
    UPSTREAM_ERRORS,
    Caller,
    CallerField,
    Data,
    Done,
    Example,
    ReadRequest,
    Request,
    Router,
    Text,
    TextBody,
    missing,
)

router = Router("E-mails")


class AlternateEmail(BaseModel):
    """A further address of the account."""

    email: str = Field(description="The address.", examples=["ada@lovelace.example"])
    verified: bool = Field(description="Whether somebody proved that it is theirs.")


class EmailAddresses(BaseModel):
    """The addresses of an account."""

    primary_email: str = Field(description="The primary address; empty when the account has none.")
    alternate_emails: list[AlternateEmail] = Field(description="The further addresses, in stored order.")


@router.subject(
    "user_emails.read",
    malformed="failed_to_unmarshal_request",
    errors=(AuthTokenRequired, *READ_ERRORS),
    example=Example(
        send={"user": {"auth_token": "auth0|ada"}},
        reply={
            "success": True,
            "data": {
                "primary_email": "ada@example.org",
                "alternate_emails": [{"email": "ada@lovelace.example", "verified": True}],
            },
        },
    ),
)
async def read(request: ReadRequest, emails: Emails) -> Data[EmailAddresses]:
    """Read a user's e-mail addresses.

    `auth_token` may be a token, a subject identifier or a username.
    """
    user = await emails.read(request.user.auth_token)
    alternates = [
        AlternateEmail.model_construct(email=i.email, verified=i.email_verified) for i in user.alternate_emails
    ]
    addresses = EmailAddresses.model_construct(primary_email=user.primary_email, alternate_emails=alternates)
    return Data.model_construct(data=addresses)


class SetPrimaryEmail(Request):
    """Which verified, linked address becomes the primary one."""

    user: CallerField = Field(Caller(), description="Whose account it is.")
    email: Text = Field(
        "",
        description="The address: a verified e-mail identity of the account.",
        examples=["ada@lovelace.example"],
        json_schema_extra=missing(EmailRequired),
    )


@router.subject(
    "user_emails.set_primary",
    malformed="failed to unmarshal set primary email request",
    errors=(
        AuthTokenRequired,
        EmailRequired,
        InvalidEmailFormat,
        *TOKEN_ERRORS,
        NotLinked,
        NotVerified,
        SetPrimaryFailed,
    ),
    example=Example(
        send={"user": {"auth_token": "eyJ…"}, "email": "ada@lovelace.example"},
        reply={"success": True, "message": "primary email updated successfully"},
    ),
)
async def set_primary(request: SetPrimaryEmail, emails: Emails) -> Done:
    """Make a verified, linked address the account's primary e-mail; the old one stays usable as an alternate.

    Needs the scope `update:current_user_identities`. Setting the address that is primary already succeeds and
    changes nothing.
    """
    await emails.set_primary(request.user.auth_token, request.email)
    return Done("primary email updated successfully")


NewEmail = Annotated[
    TextBody,
    Field(
        description="The address to verify.",
        examples=["ada@new.example"],
        json_schema_extra=missing(AlternateEmailRequired),
    ),
]


@router.subject(
    "email_linking.send_verification",
    errors=(
        AlternateEmailRequired,
        InvalidEmail,
        EmailAlreadyLinked,
        SearchFailed,
        TooManyAttempts,
        TooManyCodes,
        *UPSTREAM_ERRORS,
        SendCodeFailed,
        VerificationMailFailed,
    ),
    example=Example(send="ada@new.example", reply={"success": True, "message": "alternate email verification sent"}),
)
async def send_verification(email: NewEmail, linking: EmailLinking) -> Done:
    """Send a one-time code to an address that no account has yet.

    The body is the address. An address is taken when it is somebody's primary or verified alternate e-mail.
    """
    await linking.send_verification(email)
    return Done("alternate email verification sent")


class VerifyEmail(Request):
    """The code that came by mail."""

    email: Text = Field(
        "",
        description="The address to which the code was sent.",
        examples=["ada@new.example"],
        json_schema_extra=missing(InvalidEmail),
    )
    otp: Text = Field(
        "",
        description="The code, six digits.",
        examples=["123456"],
        json_schema_extra=missing(EmailAndCodeRequired),
    )


class VerifiedEmail(BaseModel):
    """The proof that the address is the caller's; each field is left out when the provider gives none."""

    id_token: str | None = Field(None, description="An identity token, to pass to `user_identity.link`.")
    access_token: str | None = Field(None, description="An access token.")
    token_type: str | None = Field(None, description="How the access token is to be used: `Bearer`.")
    expires_in: int | None = Field(None, description="For how many seconds the tokens are valid.")
    scope: str | None = Field(None, description="The scopes of the access token, separated by spaces.")
    token: str | None = Field(None, description="The same as `id_token`.")


@router.subject(
    "email_linking.verify",
    malformed="failed to unmarshal email data",
    errors=(
        InvalidEmail,
        EmailAndCodeRequired,
        EmailAlreadyLinked,
        SearchFailed,
        TooManyAttempts,
        CodeNotFound,
        TooManyGuesses,
        WrongCode,
        *UPSTREAM_ERRORS,
        CodeExchangeFailed,
    ),
    example=Example(
        send={"email": "ada@new.example", "otp": "123456"},
        reply={
            "success": True,
            "data": {"id_token": "eyJ…", "token_type": "Bearer", "expires_in": 3600, "token": "eyJ…"},
        },
    ),
)
async def verify(request: VerifyEmail, linking: EmailLinking) -> Data[VerifiedEmail]:
    """Exchange the code for an identity token that proves the address.

    A code works once, for five minutes. After five wrong guesses a new one is needed.
    """
    proof = await linking.verify(request.email, request.otp)
    return Data(
        data=VerifiedEmail(
            id_token=proof.id_token or None,
            access_token=proof.access_token or None,
            token_type=proof.token_type or None,
            expires_in=proof.expires_in or None,
            scope=proof.scope or None,
            token=proof.id_token or None,
        )
    )
