# SPDX-License-Identifier: MIT
"""Redaction of hostile texts: what is known never survives, whatever is cut, and nothing takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.redaction import MAX_SECRET, MAX_SECRETS, MAX_TEXT, redact, redact_tokens
from tests.support.costs import assert_bounded, seconds

PIECES = (
    "eyJ-",
    "eyJ",
    "-eyJ.",
    "a@",
    "a@a@",
    "|",
    "a|",
    "a-",
    "%41",
    "%40",
    "%7C",
    "a%7C",
    "::123456",
    ":123456",
    "password",
    'password="',
    "password='",
    "token:[",
    "otp=",
    "-----BEGIN ",
    "-----BEGIN A-----",
    "-----END ",
    "bearer ",
    "basic",
    "authelia_",
    "authelia_a",
    "SA",
    "SUAA ",
    "://",
    "://a@",
    "[redacted]",
    "[",
    " ",
    "\n",
    "\\",
    '\\"',
    "0-",
    "\ud800",
    "ﷺ",
    "a",
    "1",
    ".",
    "*",
)
FRAMES = ("{}", 'password="{}', "x {} x", "{}@", "{}|x")
OTHERS = "bfghijlmpqsuvwxyz0123456789 -@|%.:"  # no character of what stands for a secret: `[redacted]` holds others
secrets = st.text(OTHERS, min_size=3, max_size=40)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece, frame):
    assert_bounded(lambda text: redact(frame.format(text)), piece)
    assert_bounded(lambda text: redact_tokens(frame.format(text)), piece)


@pytest.mark.parametrize(
    "known",
    [
        ["[", "[re", "red", "act", "ted]", "redacted", "[redacted]", "d]["] * 30,
        ["a" * n for n in range(3, 250)],
        ["a" * n + "b" + "a" * (90 - n) for n in range(90)],
        ["a" * 1_000_000 + str(n) for n in range(100)],
    ],
    ids=["pieces of the word", "lengths", "one letter off", "long"],
)
@pytest.mark.parametrize("text", ["a" * 1_000_000, "[redacted]" * 100_000])
def test_no_secrets_make_it_long_or_large(text, known):
    assert seconds(lambda: redact(text, known), 0.05) < 0.15
    assert len(redact(text, known)) <= 4 * MAX_TEXT


@given(st.lists(secrets, max_size=5), st.data())
def test_no_known_secret_survives(known, data):
    parts = st.text(OTHERS, max_size=9) | st.sampled_from([*known, "x"])
    text = "".join(data.draw(st.lists(parts, max_size=12)))
    shown = redact(text, known)
    assert not any(secret in shown for secret in known)


@given(secrets, st.integers(0, 60), st.integers(0, 200), st.sampled_from([" ", "x", "x ", "\n"]))
def test_a_known_secret_is_masked_where_the_text_is_cut(secret, before_the_cut, behind, filler):
    start = MAX_TEXT - before_the_cut
    text = (filler * start)[:start] + secret + "." * behind
    shown = redact(text, [secret])
    tail = shown[-100:]
    assert not any(secret[:n] in tail for n in range(max(4, len(secret) // 2), len(secret) + 1) if secret[:n].strip())


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhdXRoMHxhZGEifQ.c2lnbmF0dXJl"
TORN = {
    "a token": JWT,
    "an opaque token": "authelia_at_abcdefghijklmnop",
    "a key": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIabcdefghij\n-----END EC PRIVATE KEY-----",
    "a seed": "SU" + "A2B3" * 14,
    "a bearer": "Bearer abcdefghijklmnop",
    "an address": "johanna.somebody@example.org",
    "a subject": "auth0|johanna",
    "an encoded address": "johanna.somebody%40example.org",
    "a name in a URL": "nats://johanna:correct-horse@host",
    "a password": 'password="correct horse battery"',
    "a code": "654321",
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_what_the_cut_goes_through_is_masked(torn):
    for kept in range(1, len(torn) + 1):
        text = ("x " * MAX_TEXT)[: MAX_TEXT - kept - 1] + " " + torn + " and more" * 1_000
        shown = redact(text)
        assert shown.endswith("…")
        for secret in ("johanna", "correct", "abcdefgh", "eyJz", "c2lnb", "MHcC", "A2B3A2", "654321"):
            assert secret not in shown, (kept, shown[-80:])


@pytest.mark.parametrize("kept", range(4, len(JWT)))
def test_of_a_token_that_is_cut_where_names_are_shown_nothing_is_left(kept):
    assert redact_tokens("ada " + JWT * 10, 4 + kept) == "ada [token]"


def test_a_text_is_cut_before_anything_is_looked_at():
    assert redact("a " * MAX_TEXT) == "a " * (MAX_TEXT // 2) + "…"
    assert redact("a" * MAX_TEXT) == "a" * MAX_TEXT
    assert redact("a" * (MAX_TEXT + 1)) == "…"
    assert redact_tokens("a" * 1000, 320) == "a" * 320 + "…"


def test_of_a_long_secret_the_rest_is_masked_too():
    secret = "q" * MAX_SECRET + "rest"
    assert redact(f"no: {secret}", [secret]) == "no: [redacted]"


def test_of_a_secret_that_is_as_long_as_is_looked_for_nothing_else_is_masked():
    secret = "q" * MAX_SECRET
    assert redact(f"no: {secret}, and more", [secret]) == "no: [redacted], and more"


def test_a_text_that_is_just_not_cut_is_shown_to_its_end():
    assert redact_tokens("a" * 320, 320) == "a" * 320
    assert redact_tokens("ada eyJabc", 10) == "ada eyJabc"
    assert redact_tokens("ada eyJabcd", 10) == "ada [token]"


def test_a_secret_is_masked_wherever_it_begins():
    assert redact("x aaaa y", ["aaa"]) == "x [redacted] y"
    assert redact("aaaaa", ["aaa"]) == "[redacted]"
    assert redact("abcdef", ["abc", "def"]) == "[redacted][redacted]"


def test_of_a_text_with_more_than_200_secrets_nothing_is_shown():
    assert redact("abc " * 200, ["abc"]) == "[redacted] " * 200
    assert redact("abc " * 201, ["abc"]) == "[redacted]"


def test_two_letters_are_no_secret():
    assert redact("ab abc", ["ab", "abc"]) == "ab [redacted]"


def test_what_stands_instead_of_a_secret_is_not_searched_for_another():
    assert redact("hunter2 was here", ["hunter2", "redacted", "act"]) == "[redacted] was here"


def test_two_secrets_that_share_characters_are_both_masked():
    assert redact("x abcde y", ["abc", "cde"]) == "x [redacted] y"


def test_a_piece_of_a_token_that_is_known_leaves_none_of_it():
    assert redact(f"got {JWT}!", ["eyJ"]) == "got [redacted]!"


@given(st.text(max_size=300))
def test_the_length_is_bounded(text):
    assert len(redact(text * 60)) <= 4 * MAX_TEXT


def test_with_more_secrets_than_are_looked_for_nothing_is_shown():
    secrets = [f"secret-{number:04}" for number in range(MAX_SECRETS + 1)]
    assert redact(f"of {secrets[-2]} alone", secrets[:-1]) == "of [redacted] alone"
    assert redact(f"of {secrets[-1]} alone", secrets) == "[redacted]"
    assert redact("of nobody", ["ab"] * MAX_SECRETS + secrets[:-1]) == "of nobody"  # too short to be one
