# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import io
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from app.domain.disclosures import ImpersonationAttempt, VerificationCode
from app.domain.redaction import MAX_SECRET, redact, redact_email, redact_subject
from app.observability.logs import Sink
from app.settings import LogSettings

SAFE = string.ascii_letters + string.digits
B64 = SAFE + "-_"
words = st.text(SAFE + "._-", min_size=1, max_size=20).filter(lambda text: text[0].isalnum() and text[-1].isalnum())
hosts = st.text(string.ascii_lowercase, min_size=2, max_size=10).map("{}.example".format)
addresses = st.builds("{}@{}".format, words, hosts) | st.builds(
    "{}@{}".format, st.text("äöłß用户", min_size=2, max_size=9), hosts
)
subjects = st.builds(
    "{}|{}".format, st.sampled_from(["auth0", "google-oauth2", "samlp|corp", "email"]), words | addresses
)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


jwts = st.builds(
    lambda sub, signature: f"{_part({'alg': 'RS256'})}.{_part({'sub': sub})}.{signature}",
    words,
    st.text(B64, max_size=40),
)
opaque = st.text(B64, min_size=20, max_size=60).map("authelia_at_{}".format)
seeds = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=56, max_size=56).map("SU{}".format)
keys = st.text(B64, min_size=10, max_size=60).map(
    "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----".format
)
shapes = addresses | subjects | jwts | opaque | seeds | keys
PLACES = (
    "{}",
    "user {} was not found",
    "no such user: {}.",
    "'{}'",
    '"{}"',
    "({})",
    "[{}]",
    "<{}>",
    "user={}",
    "a, {}, b",
    "GET /users?q={}&page=1",
    '{{"email": "{}", "x": 1}}',
    "User(user_id='{}', username=None)",
    "{}\n  File x.py, line 5",
    "Traceback: KeyError: '{}'",
)
places = st.sampled_from(PLACES)
NAMED = (
    "password={}",
    "password: {}",
    '{{"password": "{}"}}',
    "{{'current_password': '{}'}}",
    "new_password='{}'",
    "auth_token={}&x=1",
    '{{"identity_token":"{}"}}',
    "client_secret = {}",
    "otp={}",
    "client_assertion={}",
    "Authorization: Bearer {}",
    "authorization: basic {}",
    "Bearer {}",
    "nats://user:{}@localhost:4222",
)


@given(shapes, places)
def test_nothing_of_a_known_shape_survives(secret, place):
    assert secret not in redact(place.format(secret))


@given(addresses, places)
def test_of_a_name_at_most_three_characters_are_shown(address, place):
    local, _, domain = address.partition("@")
    if len(local) > 3:
        assert redact(place.format(address)) == place.format(f"{local[:3]}****@{domain}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/api/v2/users/auth0%7Cada-lovelace?x=1", "/api/v2/users/auth0%7Cada****?x=1"),
        ("/users-by-email?email=ada.lovelace%40example.org&y=2", "/users-by-email?email=ada****%40example.org&y=2"),
        ("email=a%40b.org", "email=****%40b.org"),
        ("AUTH0%7cADA-LOVELACE", "AUTH0%7cADA****"),
        ("caf%C3%A9%40example.org", "caf****%40example.org"),  # half a character is not shown
        ("auth0%7C%C3%A9%C3%A9", "auth0%7C%C3****"),
        ("discount=50%40", "discount=50%40"),
    ],
)
def test_names_in_urls_are_masked_like_others(url, shown):
    assert redact(url) == shown


def test_a_secret_that_is_longer_than_is_searched_for_takes_the_rest_with_it():
    secret = "s" * (MAX_SECRET + 5)
    assert redact(f"before {secret} behind", [secret]) == "before [redacted]"


@given(st.text(B64, min_size=4, max_size=30).map(lambda text: "Zq" + text), st.sampled_from(NAMED))
def test_what_is_called_a_secret_is_masked(secret, place):
    assert secret not in redact(place.format(secret))


@pytest.mark.parametrize("place", NAMED[:5])
def test_a_password_of_several_words_is_masked(place):
    assert "staple" not in redact(place.format("correct horse battery staple"))


def test_a_quote_within_a_password_does_not_end_it():
    assert "leak" not in redact(json.dumps({"password": 'a"leak'}))
    assert "leak" not in redact(repr({"password": "a'\"leak"}))


@given(
    st.integers(0, 999_999).map("{:06}".format),
    st.sampled_from(["{}", "code {}", "code: {}.", "code:{}", "'{}'", "={}"]),
)
def test_codes_are_masked(code, place):
    assert code not in redact(place.format(code))


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00.123456Z", "took 0.123456 s", "port 14222", "1234567 bytes", "12:34:56"]
)
def test_times_and_numbers_are_not(text):
    assert redact(text) == text


@given(st.text() | st.builds(str.format, places, shapes) | st.builds(str.format, st.sampled_from(NAMED), words))
def test_what_is_redacted_stays_as_it_is(text):
    assert redact(redact(text)) == redact(text)


@given(st.text(min_size=3, max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_secret_that_is_known_is_masked_wherever_it_stands(secret, before, after):
    if secret not in before + "[redacted]" + after and secret not in redact(before + "[redacted]" + after):
        assert secret not in redact(before + secret + after, [secret])


def test_the_longer_of_two_secrets_goes_first():
    assert redact("staple gun", ["staple", "staple gun"]) == "[redacted]"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("john@example.org", "joh****@example.org"),
        ("ada@x.org", "a****@x.org"),
        ("ab@x.org", "a****@x.org"),
        ("a@x.org", "****@x.org"),
    ],
)
def test_addresses(address, shown):
    assert redact_email(address) == shown == redact(address)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("auth0|john", "auth0|joh****"),
        ("auth0|ada", "auth0|a****"),
        ("auth0|a", "auth0|****"),
        ("samlp|corp|john", "samlp|cor****"),
    ],
)
def test_subjects(subject, shown):
    assert redact_subject(subject) == shown == redact(subject)


def test_a_username_alone():
    assert redact_subject("johanna") == "joh****"


def test_a_uuid_is_cut():
    assert redact("user 123e4567-e89b-12d3-a456-426614174000 left") == "user 123**** left"


def _logged(log_format: str, write, secrets: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    handler = logger.add(Sink(stream, LogSettings(format=log_format), secrets), level=0, format="{message}")
    try:
        write()
    finally:
        logger.remove(handler)
    return stream.getvalue()


def _look_up(secret: str) -> None:
    raise LookupError(secret)


def _raise(secret: str) -> None:
    try:
        _look_up(secret)
    except LookupError as error:
        logger.opt(exception=error).error("it failed")


FORGOTTEN = {
    "message": lambda secret: logger.info("hello {}", secret),
    "formatted": lambda secret: logger.info(f"hello {secret}"),
    "field": lambda secret: logger.bind(who=secret).info("hello"),
    "nested field": lambda secret: logger.bind(who={"deep": [secret]}).info("hello"),
    "exception": _raise,
    "field with an exception": lambda secret: logger.bind(error=LookupError(secret)).warning("hello"),
    "a disclosure of no known type": lambda secret: logger.bind(disclosed=secret).info("hello"),
}
SECRETS = (
    "johanna@example.org",
    "auth0|johanna",
    "google-oauth2|102938",
    f"{_part({'alg': 'none'})}.{_part({'sub': 'auth0|x'})}.",
    "authelia_at_abcdefghijklmnop",
)


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("call", FORGOTTEN)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_forgotten_call_site_cannot_leak(log_format, call, secret):
    text = _logged(log_format, lambda: FORGOTTEN[call](secret))
    assert "hello" in text or "it failed" in text
    assert secret not in text


@pytest.mark.parametrize("call", FORGOTTEN)
def test_a_secret_of_the_configuration_cannot_leak(call):
    assert "hunter2hunter2" not in _logged("json", lambda: FORGOTTEN[call]("hunter2hunter2"), ("hunter2hunter2",))


def test_the_two_disclosures_are_let_through():
    code = VerificationCode("johanna@example.org", "123456")
    attempt = ImpersonationAttempt("auth0|johanna", "ada@example.org", "granted")
    shown = json.loads(_logged("json", lambda: logger.bind(disclosed=code).info("x")))
    assert shown["message"] == "verification code for joh****@example.org: 123456"
    audit = json.loads(_logged("json", lambda: logger.bind(disclosed=attempt).info("impersonation attempt")))
    assert (audit["impersonator"], audit["target_user"], audit["outcome"]) == (
        "auth0|johanna",
        "ada@example.org",
        "granted",
    )
