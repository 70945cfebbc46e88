# SPDX-License-Identifier: MIT
"""Which texts are compact tokens, to the letter of RFC 7515, and what they hold."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.auth0.tokens.jws import MAX_TOKEN, NotAToken, looks_like_token, parse


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


HEADER, CLAIMS = b64(b'{"alg":"RS256"}'), b64(b'{"sub":"auth0|ada"}')


def claiming(claims: bytes) -> str:
    return f"{HEADER}.{b64(claims)}.c2ln"


def test_a_token_is_taken_apart():
    token = parse(f"{HEADER}.{CLAIMS}.c2ln")
    assert token.header == {"alg": "RS256"}
    assert token.claims == {"sub": "auth0|ada"}
    assert token.signed == f"{HEADER}.{CLAIMS}".encode()
    assert token.signature == b"sig"


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_every_signature_is_read_as_it_is(signature):
    assert parse(f"{HEADER}.{CLAIMS}.{b64(signature)}").signature == signature


NONE = {
    "nothing": "",
    "two parts": f"{HEADER}.{CLAIMS}",
    "four parts": f"{HEADER}.{CLAIMS}.c2ln.c2ln",
    "no header": f".{CLAIMS}.c2ln",
    "no claims": f"{HEADER}..c2ln",
    "no signature": f"{HEADER}.{CLAIMS}.",
    "padding": f"{HEADER}.{CLAIMS}.c2k=",
    "a spelling that encoding does not give": f"{HEADER}.{CLAIMS}.c2lnZB",
    "one sextet too many": f"{HEADER}.{CLAIMS}.c2lna",
    "base64 that is not for URLs": f"{HEADER}.{CLAIMS}.+/+/",
    "a line feed": f"{HEADER}.{CLAIMS}.c2ln\n",
    "letters beyond ASCII": f"{HEADER}.{CLAIMS}.\uff432ln",
    "a header that is no JSON": f"{b64(b'{')}.{CLAIMS}.c2ln",
    "a header that is a list": f"{b64(b'[]')}.{CLAIMS}.c2ln",
    "claims that are a text": claiming(b'"a"'),
    "a name twice": claiming(b'{"a":1,"a":2}'),
    "a name twice below": claiming(b'{"b":{"a":1,"a":2}}'),
    "NaN": claiming(b'{"a":NaN}'),
    "claims that are no UTF-8": claiming(b'{"a":"\xff"}'),
    "claims nested without end": claiming(b"[" * 9_000),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_odd_is_no_token(name):
    with pytest.raises(NotAToken):
        parse(NONE[name])


@pytest.mark.parametrize(("length", "taken"), [(16 * 1024, True), (16 * 1024 + 4, False)])
def test_16_kib_are_looked_at(length, taken):
    token = f"{HEADER}.{CLAIMS}."
    token += "A" * (length - len(token))
    if taken:
        assert parse(token).header == {"alg": "RS256"}
    else:
        with pytest.raises(NotAToken):
            parse(token)


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (f"{HEADER}.{CLAIMS}.c2ln", True),
        (f"{HEADER}..", True),
        (f"{HEADER}.x.y", True),
        (f"{HEADER}.x", False),
        (f"{HEADER}.x.y.z", False),
        (f"{HEADER}.x.ü", False),
        (f"{HEADER}.=.y", False),
        ("e30.x.y", True),
        ("e30=.x.y", False),
        ("W10.x.y", False),
        ("ey.x.y", False),
        ("e.x.y", False),
        ("..", False),
        ("", False),
        ("auth0|ada", False),
        ("ada.b.lovelace", False),
        (b64(b"[" * 9_000) + ".x.y", False),
        (b64(b'{"a": "%s"}' % (b"x" * 12_270)) + ".x.y", True),
        (b64(b'{"a": "%s"}' % (b"x" * 12_290)) + ".x.y", False),
    ],
    ids=lambda value: str(value)[-12:] if isinstance(value, bool) else f"{len(value)} {value[:6]}",
)
def test_whoever_sends_three_parts_of_which_the_first_is_an_object_means_a_token(text, looks):
    assert MAX_TOKEN == 16_384
    assert looks_like_token(text) is looks
