# SPDX-License-Identifier: MIT
"""Turns failures of the tenant into errors of the tree; no other module does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import httpx
from loguru import logger

from app.domain.errors import (
    Fault,
    InvalidToken,
    MissingScope,
    ProviderUnavailable,
    RateLimited,
    ServiceError,
    UserNotFound,
)
from providers.http import BrokenAnswer, TooMuch, never_connected

if TYPE_CHECKING:
    from providers.auth0.tenant.answers import Answer
    from providers.auth0.tenant.calls import Call

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409
TOO_MANY: Final = 429

_OF_CONTENT: Final = frozenset((BAD_REQUEST, CONFLICT, 410, 413, 414, 422))
"""Statuses that refuse what was sent, and so what the caller sent: all else in a request is the same every time."""

_NOT_GRANTED: Final = frozenset((UNAUTHORIZED, FORBIDDEN))
_OF_THE_APPLICATION: Final = frozenset(
    ("invalid_client", "unauthorized_client", "unsupported_grant_type", "bad.connection", "bad.tenant")
)
"""What the Authentication API says of an application that is wrongly set up, and of no user (RFC 6749, section 5.2)."""

_WRONG_SECRET: Final = ("access_denied", "Unauthorized")
"""What it says with 401 of a wrong secret. Of a wrong code or password it says 403 `invalid_grant`."""

_TEMPORARY: Final = frozenset((408, 425))
_CLIENT_ERRORS: Final = range(400, 500)


class Outcome(StrEnum):
    """How an attempt ended, as the metrics show it."""

    OK = "ok"
    REFUSED = "refused"
    RATE_LIMITED = "rate_limited"
    TIMED_OUT = "timed_out"
    NOT_CONNECTED = "not_connected"
    BROKEN = "broken"
    FAILED = "failed"


class Trouble(Exception):
    """Why an attempt failed, for the log: the operation and a few words, nothing of what was sent or received."""

    @classmethod
    def of(cls, operation: str, why: str) -> Self:
        """Tell it of an operation. `m2m_token: …` would be masked in the log: that is how a secret is written."""
        return cls(f"{operation} failed: {why}")


class CredentialsRefused(Exception):
    """The tenant does not give this service a token of its own; the log says why."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed: what the caller is told at the end, and whether it may be repeated."""

    error: ServiceError
    outcome: Outcome
    read_again: bool = True
    write_again: bool = False


def _unavailable(operation: str, why: str) -> ProviderUnavailable:
    error = ProviderUnavailable()
    error.__cause__ = Trouble.of(operation, why)
    return error


def limited(operation: str, why: str) -> RateLimited:
    """Return the error of an operation for which the tenant takes no requests."""
    error = RateLimited()
    error.__cause__ = Trouble.of(operation, why)
    return error


def of_status(operation: str, answer: Answer) -> Failure | None:
    """Return the failure that a status says, None when the answer is one to be read: a success or a refusal."""
    status = answer.status
    if status == TOO_MANY:
        return Failure(limited(operation, f"status {status}"), Outcome.RATE_LIMITED, write_again=True)
    if answer.ok or (status in _CLIENT_ERRORS and status not in _TEMPORARY):
        return None
    return Failure(_unavailable(operation, f"status {status}"), Outcome.FAILED)


def of_exception(operation: str, error: Exception) -> Failure:
    """Return the failure that an exception of the HTTP client says. What nobody expects is raised as it is."""
    why = type(error.__cause__ or error).__name__
    if isinstance(error, BrokenAnswer):
        again = not isinstance(error, TooMuch)
        return Failure(_unavailable(operation, f"answer is {error}"), Outcome.BROKEN, read_again=again)
    if isinstance(error, httpx.HTTPError | OSError) and never_connected(error):
        return Failure(_unavailable(operation, why), Outcome.NOT_CONNECTED, write_again=True)
    if isinstance(error, TimeoutError | httpx.TimeoutException):  # the cause of asyncio's is how it works
        return Failure(_unavailable(operation, type(error).__name__), Outcome.TIMED_OUT)
    if isinstance(error, httpx.HTTPError | OSError | httpx.InvalidURL):
        return Failure(_unavailable(operation, why), Outcome.BROKEN)
    raise error


def refusal(call: Call, answer: Answer) -> ServiceError:
    """Return the failure that a refusal (4xx) means to the caller.

    With the caller's token, that token is bad. Without any token, a code or password is wrong, unless the tenant says
    that it refuses the application. Otherwise the service lacks a right.
    """
    meanings: dict[int, type[ServiceError]] = {NOT_FOUND: UserNotFound, TOO_MANY: RateLimited}
    if call.token is not None:
        meanings |= {UNAUTHORIZED: InvalidToken, FORBIDDEN: MissingScope}
    error = {**meanings, **call.special}.get(answer.status, call.fallback)()
    error.__cause__ = Trouble.of(call.kind.name, f"status {answer.status}")
    if answer.status == TOO_MANY:
        return error.blamed_on(Fault.LIMIT)
    of_what_was_sent = answer.status in _OF_CONTENT or (call.anonymous and answer.status in _NOT_GRANTED)
    if error.fault is Fault.UPSTREAM and of_what_was_sent and not refuses_application(call.kind.name, answer):
        return error.blamed_on(Fault.CALLER)
    return error


def refuses_application(operation: str, answer: Answer) -> bool:
    """Whether a refusal is about the application in whose name was asked; that is logged, for no caller can mend it."""
    word = answer.text_of("error")
    if word not in _OF_THE_APPLICATION and not refuses_secret(answer):
        return False
    logger.error("the tenant refuses an application of this service", operation=operation, refusal=word)
    return True


def refuses_secret(answer: Answer) -> bool:
    """Whether the application's secret is refused. A refused user has another status, or other words of an Action."""
    said = answer.text_of("error"), answer.text_of("error_description")
    return answer.status == UNAUTHORIZED and said == _WRONG_SECRET
