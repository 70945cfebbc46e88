# SPDX-License-Identifier: MIT
"""Look-ups of users by e-mail address or username."""

from typing import Annotated

from pydantic import Field

from app.domain.errors import EmailRequired, ProviderUnavailable, SearchFailed, UsernameRequired, UserNotFound
from routers.inject import Lookups
from routers.subject import UPSTREAM_ERRORS, Example, Router, TextBody, missing

router = Router("Look-ups")

Email = Annotated[
    TextBody,
    Field(
        description="An e-mail address. White space around it and upper case do not matter.",
        examples=["ada@example.org"],
        json_schema_extra=missing(EmailRequired),
    ),
]
Username = Annotated[
    TextBody,
    Field(
        description="A username. Case matters; white space around it does not.",
        examples=["ada"],
        json_schema_extra=missing(UsernameRequired),
    ),
]
UsernameFound = Annotated[str, Field(description="The username, bare.", examples=["ada"])]
SubjectFound = Annotated[str, Field(description="The subject identifier, bare.", examples=["auth0|ada"])]


@router.subject(
    "email_to_username",
    errors=(EmailRequired, UserNotFound, SearchFailed, *UPSTREAM_ERRORS),
    example=Example(send="ada@example.org", reply="ada"),
)
async def email_to_username(email: Email, lookups: Lookups) -> UsernameFound:
    """Find the username of the user who has an e-mail address.

    It is the user with this primary e-mail. If there is none, it is the user with it as a verified alternate.
    The reply to a hit is the bare username as text. A user without a username is `user not found` here.
    """
    return await lookups.username_of_email(email)


@router.subject(
    "email_to_sub",
    errors=(EmailRequired, UserNotFound, SearchFailed, *UPSTREAM_ERRORS),
    example=Example(send="ada@example.org", reply="auth0|ada"),
)
async def email_to_sub(email: Email, lookups: Lookups) -> SubjectFound:
    """Find the subject identifier of the user who has an e-mail address.

    It is the user with this primary e-mail. If there is none, it is the user with it as a verified alternate.
    The reply to a hit is the bare subject identifier as text.
    """
    return await lookups.subject_of_email(email)


@router.subject(
    "username_to_sub",
    errors=(UsernameRequired, ProviderUnavailable),
    example=Example(send="ada", reply="auth0|ada"),
)
async def username_to_sub(username: Username, lookups: Lookups) -> SubjectFound:
    """Turn a username into the subject identifier.

    The username is taken exactly as it is, case included; white space around it is ignored. The reply is the bare
    subject identifier as text, the same that `email_to_sub` gives for the user. Whether there is such a user is
    not checked where the identifier can be derived.
    """
    return await lookups.subject_of_username(username)
