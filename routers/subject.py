# SPDX-License-Identifier: MIT
"""The declaration of a subject: name, request, reply, malformed error, errors and example, beside its handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SkipValidation

from app.bus.replies import Data, Done
from app.bus.router import Router
from app.bus.subjects import Example
from app.domain.errors import (
    AuthTokenRequired,
    InvalidAudience,
    InvalidIssuer,
    InvalidToken,
    MissingScope,
    ProviderUnavailable,
    RateLimited,
    SearchFailed,
    TokenExpired,
    UserNotFound,
)

if TYPE_CHECKING:
    from app.domain.errors import ServiceError

__all__ = ["Data", "Done", "Example", "Router"]  # of the bus, for the areas

UPSTREAM_ERRORS: tuple[type[ServiceError], ...] = (ProviderUnavailable, RateLimited)
"""What a subject may answer that asks an identity provider."""

_OF_TOKEN: tuple[type[ServiceError], ...] = (InvalidToken, TokenExpired, InvalidIssuer, InvalidAudience)
_OF_USER: tuple[type[ServiceError], ...] = (UserNotFound, SearchFailed, *UPSTREAM_ERRORS)

TOKEN_ERRORS: tuple[type[ServiceError], ...] = (*_OF_TOKEN, MissingScope, *_OF_USER)
"""What a subject may answer that acts on the caller's account."""

READ_ERRORS: tuple[type[ServiceError], ...] = (*_OF_TOKEN, *_OF_USER)
"""What a subject may answer that takes a token, a subject identifier or a username."""


def _null_is_empty(value: object) -> object:
    return "" if value is None else value


def null_is_missing(value: object) -> object:
    """Let a null stand for an object without fields."""
    return {} if value is None else value


Text = Annotated[str, BeforeValidator(_null_is_empty, json_schema_input_type=str | None)]
"""A string of a JSON request; null counts as empty."""

TextBody = Annotated[str, SkipValidation]
"""A text that is the whole request, to be annotated with its description. Not validated: it may hold surrogates."""


def missing(error: type[ServiceError]) -> dict[str, JsonValue]:
    """Return the remark in a field's schema that a request without it, or with an empty one, fails with `error`."""
    return {"x-missing-error": error.wire}


class Request(BaseModel):
    """A JSON request. Unknown fields are ignored; a field that is missing or null counts as empty."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)


class Caller(Request):
    """Who calls: the owner of the account."""

    auth_token: Text = Field(
        "",
        description="The user's token, with or without a leading `Bearer `.",
        examples=["eyJ…"],
        json_schema_extra=missing(AuthTokenRequired),
    )


class Reference(Request):
    """Who is asked about."""

    auth_token: Text = Field(
        "",
        description="A token, a subject identifier or a username.",
        examples=["auth0|ada", "ada", "eyJ…"],
        json_schema_extra=missing(AuthTokenRequired),
    )


CallerField = Annotated[Caller, BeforeValidator(null_is_missing, json_schema_input_type=Caller | None)]
ReferenceField = Annotated[Reference, BeforeValidator(null_is_missing, json_schema_input_type=Reference | None)]


class ReadRequest(Request):
    """Who is asked about, by a token, a subject identifier or a username."""

    user: ReferenceField = Field(Reference(), description="Who is asked about.")
