# SPDX-License-Identifier: MIT
"""How a subject is declared: name, request, reply, malformed error, errors and example, beside its handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

from faststream._internal.context.context_type import Context as Injected
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from app.bus.replies import Data, Done
from app.bus.subjects import Example, Subject
from app.domain.errors import (
    AuthTokenRequired,
    InternalError,
    InvalidAudience,
    InvalidIssuer,
    InvalidToken,
    MissingScope,
    Overloaded,
    ProviderUnavailable,
    RateLimited,
    RequestTimedOut,
    SearchFailed,
    TokenExpired,
    UserNotFound,
)

if TYPE_CHECKING:
    from app.domain.errors import ServiceError

__all__ = [
    "COMMON_ERRORS",
    "READ_ERRORS",
    "TOKEN_ERRORS",
    "UPSTREAM_ERRORS",
    "Caller",
    "Data",
    "Done",
    "Example",
    "Request",
    "Router",
    "Text",
    "missing",
]

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[str | BaseModel]])

COMMON_ERRORS: tuple[type[ServiceError], ...] = (Overloaded, RequestTimedOut, InternalError)
"""What any subject may answer."""

UPSTREAM_ERRORS: tuple[type[ServiceError], ...] = (ProviderUnavailable, RateLimited)
"""What a subject may answer that asks an identity provider."""

TOKEN_ERRORS: tuple[type[ServiceError], ...] = (
    InvalidToken,
    TokenExpired,
    InvalidIssuer,
    InvalidAudience,
    MissingScope,
    UserNotFound,
    SearchFailed,
    *UPSTREAM_ERRORS,
)
"""What a subject may answer that acts on the caller's account."""

READ_ERRORS: tuple[type[ServiceError], ...] = (
    InvalidToken,
    TokenExpired,
    InvalidIssuer,
    InvalidAudience,
    UserNotFound,
    SearchFailed,
    *UPSTREAM_ERRORS,
)
"""What a subject may answer that takes a token, a subject identifier or a username."""


def _null_is_empty(value: object) -> object:
    return "" if value is None else value


def null_is_missing(value: object) -> object:
    """Let a null stand for an object without fields."""
    return {} if value is None else value


Text = Annotated[str, BeforeValidator(_null_is_empty, json_schema_input_type=str | None)]
"""A string of a JSON request; null counts as empty."""


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


class Router:
    """The subjects of one area, in the order of their declaration.

    A declaration is data. When the service starts, the broker makes a FastStream subscriber of each, on a router
    of its own, so that any number of brokers can serve the same subjects in one process (as tests do).
    """

    def __init__(self, area: str) -> None:
        """Take the name of the area, as the documentation shows it."""
        self.area = area
        self.subjects: list[Subject] = []

    def subject(
        self,
        name: str,
        *,
        malformed: str | None = None,
        errors: tuple[type[ServiceError], ...],
        unavailable: tuple[type[ServiceError], ...] = (),
        example: Example,
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of `lfx.auth-service.<name>`.

        The handler's first parameter is the request: a `Request`, or for a text body a `str` that is annotated with
        its description. The others are injected (`routers.inject`). What it returns is the reply. The errors come in
        the order of the checks.
        """

        def declare(handler: Handler) -> Handler:
            hints = get_type_hints(handler, include_extras=True)
            body = next(iter(inspect.signature(handler).parameters))
            self.subjects.append(
                Subject(
                    name=name,
                    area=self.area,
                    handler=handler,
                    request=None if _is_text(hints[body]) else hints[body],
                    reply=str if _is_text(hints["return"]) else hints["return"],
                    request_hint=hints[body],
                    reply_hint=hints["return"],
                    malformed=malformed,
                    errors=(*errors, *COMMON_ERRORS),
                    unavailable=unavailable,
                    example=example,
                    injected={name: _marker(hint) for name, hint in hints.items() if _marker(hint)},
                )
            )
            return handler

        return declare


def _is_text(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    return getattr(hint, "__origin__", hint) is str


def _marker(hint: Any) -> Injected | None:  # noqa: ANN401 - any annotation
    return next((meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Injected)), None)
