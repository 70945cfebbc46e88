# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jose import jwt

from app.domain.errors import InvalidIdentityToken
from app.domain.identity_tokens import IdentityTokens, unverified_claims, unverified_subject
from app.domain.users import Address

NOW = 1_900_000_000.0
ADDRESS = Address("ada@new.example")


def _pair() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


PRIVATE, PUBLIC = _pair()
CLAIMS = {
    "iss": "lfx-v2-auth-service",
    "aud": "lfx-v2-auth-service",
    "sub": "email|ada@new.example",
    "email": "ada@new.example",
    "email_verified": True,
    "iat": int(NOW),
    "exp": int(NOW) + 3600,
    "jti": "abc",
}
TOKENS = IdentityTokens(PRIVATE, PUBLIC, "ES256", lambda: NOW)


def _signed(**changes: object) -> str:
    claims = {key: value for key, value in {**CLAIMS, **changes}.items() if value is not ...}
    return jwt.encode(claims, PRIVATE, algorithm="ES256")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _forged(header: dict[str, object], sign=lambda _: b"") -> str:
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(CLAIMS).encode())}"
    return f"{signed}.{_b64(sign(signed.encode()))}"


def test_what_is_issued_proves_the_address_once():
    token = TOKENS.issue(ADDRESS)
    proof = TOKENS.check(token)
    assert proof.address == "ada@new.example"
    assert TOKENS.check(TOKENS.issue(ADDRESS)).jti != proof.jti
    assert unverified_subject(token) == "email|ada@new.example"


def test_what_is_issued_says_for_whom_and_how_long():
    claims = unverified_claims(TOKENS.issue(ADDRESS))
    assert claims | {"jti": "abc"} == CLAIMS
    assert len(claims["jti"]) == 32


def test_a_token_with_all_claims_is_good():
    assert TOKENS.check(_signed()).jti == "abc"


@pytest.mark.parametrize("began", [1_000_000_000, int(NOW)])
def test_how_old_a_token_is_says_the_clock_that_was_given(began):
    moments = iter([began, began, began + 3599, began + 3600])
    tokens = IdentityTokens(PRIVATE, PUBLIC, "ES256", lambda: next(moments))
    token = tokens.issue(ADDRESS)
    assert tokens.check(token) == tokens.check(token)
    with pytest.raises(InvalidIdentityToken):
        tokens.check(token)


def _of_length(length: int) -> str:
    """Return a good token of that many characters; not every length of the claims makes every length of a token."""
    for kid in ("", "x", "xx"):
        more = (length - len(jwt.encode({**CLAIMS, "more": ""}, PRIVATE, "ES256", {"kid": kid}))) * 3 // 4
        for some in range(more - 3, more + 4):
            token = jwt.encode({**CLAIMS, "more": "x" * some}, PRIVATE, "ES256", {"kid": kid})
            if len(token) == length:
                return token
    raise AssertionError(length)


def test_a_token_of_more_than_16_kib_is_none():
    longest, longer = _of_length(16 * 1024), _of_length(16 * 1024 + 1)
    assert TOKENS.check(longest).address == "ada@new.example"
    assert unverified_subject(longest) == "email|ada@new.example"
    with pytest.raises(InvalidIdentityToken):
        TOKENS.check(longer)
    assert unverified_claims(longer) is None


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("value", [..., None, "", "x", 5, True, [], {}])
def test_every_claim_counts(claim, value):
    good = {("email_verified", True), ("aud", "lfx-v2-auth-service")}
    hashable = not isinstance(value, list | dict)
    if hashable and (claim, value) in good:
        return
    if claim == "jti" and isinstance(value, str):
        return
    if claim == "iat" and (value == 5 or value is True):
        return  # how old a token is says its expiry
    with pytest.raises(InvalidIdentityToken):
        TOKENS.check(_signed(**{claim: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW)},
        {"exp": int(NOW) - 1},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"iss": "https://somebody.example/"},
        {"aud": "https://somebody.example/"},
        {"sub": "auth0|ada"},
        {"sub": "email|grace@example.org"},
        {"email": "grace@example.org"},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"sub": "email|ada", "email": "ada"},
    ],
    ids=str,
)
def test_wrong_claims(changes):
    with pytest.raises(InvalidIdentityToken):
        TOKENS.check(_signed(**changes))


FORGERIES = {
    "alg none": _forged({"alg": "none", "typ": "JWT"}),
    "alg None": _forged({"alg": "None"}),
    "no alg": _forged({"typ": "JWT"}),
    "HS256 with the public key": _forged(
        {"alg": "HS256"}, lambda signed: hmac.new(PUBLIC.encode(), signed, hashlib.sha256).digest()
    ),
    "HS256 with an empty key": _forged({"alg": "HS256"}, lambda signed: hmac.new(b"", signed, hashlib.sha256).digest()),
    "ES256 without a signature": _forged({"alg": "ES256"}),
    "ES256 with zeros": _forged({"alg": "ES256"}, lambda _: bytes(64)),
    "another key": jwt.encode(CLAIMS, _pair()[0], algorithm="ES256"),
    "alg is a list": _forged({"alg": ["ES256"]}),
    "too long": "a" * 20_000,
    "empty": "",
    "dots": "..",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries(forgery):
    with pytest.raises(InvalidIdentityToken):
        TOKENS.check(FORGERIES[forgery])


@given(
    st.text(max_size=60) | st.builds("{}.{}.{}".format, st.text(max_size=20), st.text(max_size=20), st.text(max_size=9))
)
def test_nothing_but_a_token_is_one(text):
    with pytest.raises(InvalidIdentityToken):
        TOKENS.check(text)
    assert unverified_subject(text) == ""


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_in_a_token_are_read_or_refused(header, claims):
    assert isinstance(unverified_claims(f"{_b64(header)}.{_b64(claims)}.x"), dict | None)


@pytest.mark.parametrize(
    "claims",
    [b"[]", b'"x"', b"5", b"null", b'{"sub": "\\ud800"}', b'{"exp": NaN}', b'{"a":' * 50_000, b"[" * 5_000, b"\xff"],
)
def test_claims_that_are_no_json_object(claims):
    assert unverified_claims(f"{_b64(b'{}')}.{_b64(claims)}.x") is None


@pytest.mark.parametrize(
    ("subject", "read"), [(" auth0|ada ", "auth0|ada"), (5, ""), (None, ""), (["x"], ""), ("  ", "")]
)
def test_the_subject_as_it_stands(subject, read):
    assert unverified_subject(f"{_b64(b'{}')}.{_b64(json.dumps({'sub': subject}).encode())}.x") == read
