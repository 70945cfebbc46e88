# SPDX-License-Identifier: MIT
"""What a status or an exception of the tenant means to the caller, and whose fault it is."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import ssl

import aiohttp
import httpx
import pytest
from loguru import logger
from pydantic import SecretStr

from app.domain.errors import (
    Fault,
    InvalidToken,
    MissingScope,
    PasswordTooWeak,
    ProviderUnavailable,
    RateLimited,
    SearchFailed,
    UpdateFailed,
    UserNotFound,
)
from app.domain.redaction import redact
from providers import auth0
from providers.auth0.tenant.answers import Answer
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.errors import Trouble, of_exception, of_status, refusal, refuses_application
from providers.http import BrokenAnswer, TooMuch

TOKEN = SecretStr("a.b.c")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404, 409, 422, 499])
def test_a_success_and_a_refusal_are_answers(status):
    assert of_status("get_user", Answer(status)) is None


@pytest.mark.parametrize(
    ("status", "error", "outcome", "again"),
    [
        (429, RateLimited, "rate_limited", (True, True)),
        (408, ProviderUnavailable, "failed", (True, False)),
        (425, ProviderUnavailable, "failed", (True, False)),
        (500, ProviderUnavailable, "failed", (True, False)),
        (599, ProviderUnavailable, "failed", (True, False)),
        (302, ProviderUnavailable, "failed", (True, False)),
        (101, ProviderUnavailable, "failed", (True, False)),
    ],
)
def test_other_statuses_are_failures(status, error, outcome, again):
    failure = of_status("get_user", Answer(status))
    assert (type(failure.error), failure.outcome) == (error, outcome)
    assert (failure.read_again, failure.write_again) == again
    assert isinstance(failure.error.__cause__, Trouble)
    assert str(failure.error.__cause__) == f"get_user failed: status {status}"


RESET = aiohttp.ClientConnectorError.__new__(aiohttp.ClientConnectorError)
EXCEPTIONS = {
    "broken": (BrokenAnswer("no JSON"), "broken", False, "get_user failed: answer is no JSON"),
    "not connected": (
        caused(httpx.ConnectError("x"), RESET),
        "not_connected",
        True,
        "get_user failed: ClientConnectorError",
    ),
    "connecting took too long": (
        caused(httpx.ConnectTimeout("x"), aiohttp.ConnectionTimeoutError()),
        "not_connected",
        True,
        "get_user failed: ConnectionTimeoutError",
    ),
    "cut off by asyncio": (
        caused(TimeoutError(), asyncio.CancelledError()),
        "timed_out",
        False,
        "get_user failed: TimeoutError",
    ),
    "timed out": (TimeoutError(), "timed_out", False, "get_user failed: TimeoutError"),
    "no part came": (httpx.ReadTimeout("secret"), "timed_out", False, "get_user failed: ReadTimeout"),
    "cut off": (httpx.ReadError("secret"), "broken", False, "get_user failed: ReadError"),
    "a reset": (ConnectionResetError("secret"), "broken", False, "get_user failed: ConnectionResetError"),
    "a certificate": (caused(httpx.ReadError("x"), ssl.SSLError()), "broken", False, "get_user failed: SSLError"),
    "an address that is none": (httpx.InvalidURL("secret"), "broken", False, "get_user failed: InvalidURL"),
}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_told_by_its_kind_and_never_by_its_text(name):
    error, outcome, write_again, why = EXCEPTIONS[name]
    failure = of_exception("get_user", error)
    assert (type(failure.error), failure.outcome) == (ProviderUnavailable, outcome)
    assert (failure.read_again, failure.write_again) == (True, write_again)
    assert str(failure.error.__cause__) == why


def kinds() -> set[str]:
    """Return the names of all operations of the provider."""
    names = [module.name for module in pkgutil.walk_packages(auth0.__path__, f"{auth0.__name__}.")]
    parts = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return {part.name for part in parts if isinstance(part, Kind)}


def test_the_log_shows_why_an_operation_failed_whatever_it_is_called():
    names = kinds()
    assert {"m2m_token", "check_password", "exchange_token", "get_user"} <= names
    shown = {name: redact(str(of_exception(name, TimeoutError()).error.__cause__)) for name in names}
    assert shown == {name: f"{name} failed: TimeoutError" for name in names}


def test_what_is_too_much_is_not_asked_for_again():
    failure = of_exception("get_user", TooMuch("too long"))
    assert (type(failure.error), failure.outcome) == (ProviderUnavailable, "broken")
    assert (failure.read_again, failure.write_again) == (False, False)
    assert str(failure.error.__cause__) == "get_user failed: answer is too long"


@pytest.mark.parametrize("cause", [None, RESET])
def test_what_nobody_expects_is_raised_as_it_is(cause):
    with pytest.raises(ZeroDivisionError):
        of_exception("get_user", caused(ZeroDivisionError(), cause))


def call(**more) -> Call:
    return Call(kind=Kind("update_user"), method="PATCH", path="/", **{"fallback": UpdateFailed, **more})


MEANINGS = {
    "own 401": (call(), 401, UpdateFailed, Fault.UPSTREAM),
    "own 403": (call(), 403, UpdateFailed, Fault.UPSTREAM),
    "own 404": (call(), 404, UserNotFound, Fault.CALLER),
    "own 429": (call(), 429, RateLimited, Fault.LIMIT),
    "own 400": (call(), 400, UpdateFailed, Fault.CALLER),
    "own 409": (call(), 409, UpdateFailed, Fault.CALLER),
    "own 410": (call(), 410, UpdateFailed, Fault.CALLER),
    "own 422": (call(), 422, UpdateFailed, Fault.CALLER),
    "own 405": (call(), 405, UpdateFailed, Fault.UPSTREAM),
    "the caller's 401": (call(token=TOKEN), 401, InvalidToken, Fault.CALLER),
    "the caller's 403": (call(token=TOKEN), 403, MissingScope, Fault.CALLER),
    "the caller's 404": (call(token=TOKEN), 404, UserNotFound, Fault.CALLER),
    "the caller's 429": (call(token=TOKEN), 429, RateLimited, Fault.LIMIT),
    "the caller's 405": (call(token=TOKEN), 405, UpdateFailed, Fault.UPSTREAM),
    "anonymous 401": (call(anonymous=True), 401, UpdateFailed, Fault.CALLER),
    "anonymous 403": (call(anonymous=True), 403, UpdateFailed, Fault.CALLER),
    "anonymous 405": (call(anonymous=True), 405, UpdateFailed, Fault.UPSTREAM),
    "a special meaning": (call(special={400: PasswordTooWeak}), 400, PasswordTooWeak, Fault.CALLER),
    "a special 404": (call(special={404: SearchFailed}), 404, SearchFailed, Fault.UPSTREAM),
    "a special 401 of the caller": (call(token=TOKEN, special={401: SearchFailed}), 401, SearchFailed, Fault.UPSTREAM),
    "a special 429": (call(special={429: UpdateFailed}), 429, UpdateFailed, Fault.LIMIT),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_what_a_refusal_means_and_whose_fault_it_is(name):
    made, status, error, fault = MEANINGS[name]
    refused = refusal(made, Answer(status))
    assert (type(refused), refused.fault) == (error, fault)
    assert str(refused.__cause__) == f"update_user failed: status {status}"


@pytest.mark.parametrize(
    "word", ["invalid_client", "unauthorized_client", "unsupported_grant_type", "bad.connection", "bad.tenant"]
)
def test_an_application_that_is_refused_is_no_callers_fault_and_is_logged(word):
    records = []
    handler = logger.add(lambda message: records.append(message.record), level="ERROR")
    answer = Answer(400, {}, b'{"error": "%s"}' % word.encode())
    try:
        assert refusal(call(anonymous=True), answer).fault is Fault.UPSTREAM
        assert refuses_application("send_code", answer) is True
    finally:
        logger.remove(handler)
    assert [record["extra"] for record in records] == [
        {"operation": "update_user", "refusal": word},
        {"operation": "send_code", "refusal": word},
    ]


def test_a_secret_that_is_refused_is_no_callers_fault_and_is_logged():
    records = []
    handler = logger.add(lambda message: records.append(message.record), level="ERROR")
    answer = Answer(401, {}, b'{"error": "access_denied", "error_description": "Unauthorized"}')
    try:
        assert refusal(call(anonymous=True), answer).fault is Fault.UPSTREAM
    finally:
        logger.remove(handler)
    assert [record["extra"] for record in records] == [{"operation": "update_user", "refusal": "access_denied"}]


@pytest.mark.parametrize(
    ("status", "error", "description"),
    [
        (403, "invalid_grant", "Wrong email or password."),
        (403, "invalid_grant", "Wrong email or verification code."),
        (401, "invalid_grant", "Unauthorized"),
        (401, "invalid_user_password", "Unauthorized"),
        (401, "access_denied", "You may not sign in."),
        (401, "access_denied", ""),
        (403, "access_denied", "Unauthorized"),
    ],
)
def test_no_refusal_of_a_user_counts_as_one_of_the_application(status, error, description):
    body = json.dumps({"error": error, "error_description": description}).encode()
    assert refuses_application("redeem_code", Answer(status, {}, body)) is False
    assert refusal(call(anonymous=True), Answer(status, {}, body)).fault is Fault.CALLER


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": "invalid_grant"}', b'{"error_description": "bad.tenant"}'])
def test_other_refusals_are_of_what_was_sent(body):
    assert refuses_application("send_code", Answer(400, {}, body)) is False
    assert refusal(call(anonymous=True), Answer(401, {}, body)).fault is Fault.CALLER
