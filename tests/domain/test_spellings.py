# SPDX-License-Identifier: MIT
"""The spellings of one address are one address, and no two addresses are."""

from __future__ import annotations

import time
import unicodedata

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.addresses import parse_address
from app.domain.errors import InvalidEmail
from app.domain.spellings import comparable, comparable_domain, forms, same

LETTERS = "abcxyzäöüßéñçøåłπ\u03c3ςжя例子用户\uff21À\u1e9b"
words = st.text(LETTERS + "0123456789", min_size=1, max_size=8)
domains = st.lists(words, min_size=1, max_size=3).map(".".join)
addresses = st.builds("{}@{}".format, words, domains)
anything = st.text(max_size=60) | st.builds("{}@{}".format, st.text(max_size=30), st.text(max_size=30)) | addresses


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", " Ada@Example.ORG\n"),
        ("jörg@example.org", "jo\u0308rg@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@bücher.example", "ADA@XN--BCHER-KVA.example"),
        ("ada@BÜCHER.example", "ada@bu\u0308cher.example"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("ada@例子。广告", "ada@xn--fsqu00a.xn--4rr70v"),
        ("ada@\uff45xample.org", "ada@example.org"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        ("ada@💩.example", "ada@xn--ls8h.example"),
        ("ada@a_b.bücher.example", "ada@a_b.xn--bcher-kva.example"),
    ],
)
def test_these_are_one(one, other):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@faß.example", "ada@fass.example"),
        ("straße@example.org", "strasse@example.org"),
        ("jörg@example.org", "jorg@example.org"),
        ("jörg@example.org", "xn--jrg-sna@example.org"),
        ("\uff41da@example.org", "ada@example.org"),
        ("ada@example.org", "ada@example.org."),
        ("ada@a_b.example", "ada@ab.example"),
    ],
)
def test_these_are_two(one, other):
    assert not same(one, other)


@given(addresses)
def test_the_spellings_of_an_address_are_one(address):
    local, _, domain = address.partition("@")
    for form in ("NFC", "NFD"):
        assert same(address, unicodedata.normalize(form, address))
    assert same(address, address.lower())
    try:
        encoded = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return
    assert same(address, f"{local}@{encoded}")
    assert comparable(address).endswith(f"@{encoded}")


@given(anything)
@example("İ@İ.example")
@example("ΑΣ@ΑΣ.example")
@example("\u0345@\u0345a\u0301")
@example("a@ǰ\u0323.x")
def test_the_form_is_its_own_form(text):
    assert comparable(comparable(text)) == comparable(text)
    assert comparable_domain(comparable_domain(text)) == comparable_domain(text)


@given(st.text(st.characters(codec="ascii"), max_size=300))
def test_plain_ascii_is_compared_as_ever(text):
    assert comparable(text) == text.strip().lower()


@given(addresses)
@example("jo\u0308rg@bu\u0308cher.example")
def test_the_forms_are_few_and_all_of_one_address(address):
    try:
        address = parse_address(address, InvalidEmail)
    except InvalidEmail:
        return
    found = forms(address)
    assert found[0] == address
    assert len(found) == len(set(found)) <= 7
    assert {comparable(form) for form in found} == {comparable(address)}


def test_an_address_is_searched_for_in_the_forms_in_which_it_may_be_stored():
    assert forms("ada@example.org") == ("ada@example.org",)
    assert forms("ada@xn--bcher-kva.example") == (
        "ada@xn--bcher-kva.example",
        "ada@bücher.example",
        "ada@bu\u0308cher.example",
    )
    assert forms("jo\u0308rg@bücher.example") == (
        "jo\u0308rg@bücher.example",
        "jörg@xn--bcher-kva.example",
        "jörg@bücher.example",
        "jörg@bu\u0308cher.example",
        "jo\u0308rg@xn--bcher-kva.example",
        "jo\u0308rg@bu\u0308cher.example",
    )
    assert forms('ada@"x') == ('ada@"x',)


LABEL = "é" * 62
LONG = f"{LABEL}.{LABEL}e.{LABEL}e.{LABEL}e"
"""A domain of 254 characters."""


def test_up_to_254_characters_are_compared_in_all_spellings():
    assert same("A" * 242 + "@example.org", "a" * 242 + "@EXAMPLE.org")
    assert same("É" * 250 + "@b.c", "é" * 250 + "@b.c")
    assert comparable_domain(LONG.upper()) == comparable_domain(LONG)
    assert comparable_domain(LONG.replace(".", "。")) == comparable_domain(LONG)


def test_the_form_of_a_longer_text_is_the_text():
    assert comparable("A" * 243 + "@example.org") == "A" * 243 + "@example.org"
    assert comparable_domain("É" + LONG) == "É" + LONG


def test_forms_that_are_longer_than_an_address_can_be_are_not_searched_for():
    assert forms("é" * 246 + "@ü.b.org") == ("é" * 246 + "@ü.b.org",)
    assert forms("a" * 238 + "@bücher.example") == ("a" * 238 + "@bücher.example", "a" * 238 + "@bu\u0308cher.example")


def test_a_domain_that_is_mapped_to_another_address_is_none():
    assert comparable_domain("ä.example\uff20example.org") == "ä.example\uff20example.org"


@pytest.mark.parametrize(
    "text",
    [
        "ü" * 2**20,
        "a@" + "ü" * 2**20,
        "a@" + "ü." * 2**19,
        "\u0300\u0323" * 2**18 + "@x",
        "\ufdfa" * 2**19,
        "@" * 2**20 + "ü",
        "\ud800" * 2**19,
        *(
            "a@" + piece * (252 // len(piece))
            for piece in ("ü", "ü.", "\ufdfa", "א1", "\u0300\u0323", "例", "xn--ü.", "ü" * 63 + ".")
        ),
    ],
    ids=lambda text: f"{len(text)} {text[2:6]!a}",
)
def test_no_text_costs_much(text):
    """A mebibyte is cut off before it is looked at; 254 characters of the worst kind are little work."""
    variants = [f"{text[:-1]}{letter}" for letter in "abcdefghijklmnopqrst"]  # none is known from before
    began = time.process_time()
    for variant in variants:
        comparable(variant)
        comparable_domain(variant)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(("labels", "length"), [(5, 48), (4, 60), (10, 20), (16, 14), (120, 1)])
def test_no_address_of_characters_that_are_all_different_costs_much(labels, length):
    """A label's ASCII form is quadratic in them; so what is compared often is converted once."""
    addresses = iter([f"é@{distinct(labels, length, first)}" for first in range(0x4E00, 0x4E00 + 20)])
    least = min(_seconds(lambda: forms(next(addresses))) for _ in range(10))
    assert least < 0.025
    address = next(addresses)
    forms(address)
    assert _seconds(lambda: [comparable(form) for _ in range(100) for form in forms(address)]) < 0.025


def distinct(labels: int, length: int, first: int) -> str:
    """Return a domain of so many labels of so many characters, of which none stands there twice."""
    characters = iter(range(first, 0x9FA0))
    return ".".join("".join(chr(next(characters)) for _ in range(length)) for _ in range(labels))


def _seconds(work) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
