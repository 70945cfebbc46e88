# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.subject_ids import derive

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HASHED = {
    "a": "dF3bGD8iqVcrJJQpS6fEsVgg9iKeNHGCCEhK2C2cGYRm2dx8xeFU1wKbkBsCWdefaz82KeyfbBf8Pfkpm4C56cc",
    "-ada": "563j2L2Rs8keE5f8fGtg5Xv8TeoKmDGVnVoc39Eh6JLWNpdU9c8viLY6TZvqt21aX4Ktv2UgczeAqYKfPLF6iQy8",
    "ada-": "5ZD35CTiftV1XjdGSnpNHY84QmgondQq8CvgZXiULLF4aq81aT3cLDwz1bsBAd5de6TFgtLXr2cTgYRABi5HKcuV",
    "ada lovelace": "gXibEqx57ZSPn3dNYM9PrVUfkS4N6cn32xj42FeQECXKEazLCGGL1qouaXX2xi7teMSptf4Ss8tfLtaEeJvkqyD",
    "0123456789abcdef" * 2: "4zttc3jufkQrMqWeXhnrPf1bkPd2roNkVpBJoCsUrXjWTWmD3aGhMgNU3Huz5zdP64YTQasifxgze46ydFP6bMW",
    "a" * 24: "5YozMDKpxKoiY5J1kWWQkvv9ae3xVygjL9qnaTSi7QxLb2fXuaZbhzkfsfTi3fTNyL8pZneeWZToD3fdqvb1iamu",
    "a" * 60: "2pEjQxf2iVVZ7sc1RnAky9ebT2GJGgt1ABSmGnPH4Vj1rd8NeHuofAfZbLFmntEVuuxyb4SJASzkZdbBEhdMBJ2a",
    "a" * 61: "3L3KciWNcMRVt6mHqdwmkb6ss93AUP7TzVdD38q1dm2vPQGRjSKJqeLg6PB9pyZMnq9agGG2aGyoBcdqQn7CMJK",
    "ada|x": "2GhGRZusZTxFLZ5SgvJruPuht6h9ZrameNhicfrDFg8Y84uLZDqf5YLGbSSsYUCjnppX1QvrQ98xHnPbHVYw4pU1",
    "łukasz": "3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU",
}
PLAIN = (
    "ab",
    "ada",
    "Ada",
    "a.b",
    "a_b",
    "a-b",
    "A..b",
    "12",
    "a" * 23,
    "A" * 24,
    "g" * 60,
    "0123456789abcdef0123456g",
)


def _base58(digest: bytes) -> str:
    number, text = int.from_bytes(digest, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = ALPHABET[rest] + text
    return "1" * (len(digest) - len(digest.lstrip(b"\0"))) + text


@pytest.mark.parametrize(("username", "hashed"), HASHED.items())
def test_hashed(username, hashed):
    assert derive(username) == f"auth0|{hashed}"


@pytest.mark.parametrize("username", PLAIN)
def test_plain(username):
    assert derive(username) == f"auth0|{username}"


def test_a_trailing_line_feed_is_no_match():
    assert derive("ada\n") == "auth0|" + _base58(hashlib.sha512(b"ada\n").digest())


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=80))
def test_what_is_no_plain_name_is_hashed(username):
    hashed = not re.search(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,58}[A-Za-z0-9]\Z", username)
    if hashed:
        assert derive(username) == "auth0|" + _base58(hashlib.sha512(username.encode()).digest())


@given(st.text("0123456789abcdef", min_size=24, max_size=60))
def test_what_looks_generated_is_hashed(username):
    assert derive(username) == "auth0|" + _base58(hashlib.sha512(username.encode()).digest())


def test_leading_zero_bytes_of_a_digest_are_ones():
    # Found by search: its SHA-512 digest begins with a zero byte.
    username = next(f"user {n}" for n in range(10_000) if hashlib.sha512(f"user {n}".encode()).digest()[0] == 0)
    assert derive(username) == "auth0|" + _base58(hashlib.sha512(username.encode()).digest())
    assert derive(username).startswith("auth0|1")
