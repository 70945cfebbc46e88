# SPDX-License-Identifier: MIT
from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.addresses import is_local_part, parse_address
from app.domain.errors import InvalidEmail

ATEXT = string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~"
atoms = st.text(ATEXT, min_size=1, max_size=12)
dot_atoms = st.lists(atoms, min_size=1, max_size=4).map(".".join)
addresses = st.builds("{}@{}".format, dot_atoms, dot_atoms)


def _parse(text: str) -> str | None:
    try:
        return parse_address(text, InvalidEmail)
    except InvalidEmail:
        return None


@given(addresses)
@example("a@b")
@example("a" * 242 + "@example.org")
def test_dot_atoms_are_addresses(address):
    assert _parse(address) == address.lower()


@given(addresses, st.text(" \t\r\n", max_size=4), st.text(" \t\r\n", max_size=4))
def test_white_space_around_and_case_do_not_matter(address, before, after):
    assert _parse(before + address.upper() + after) == address.lower()


@given(st.text(max_size=40) | st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20)))
@example("İ@example.org")
@example("ΑΣ@example.org")
def test_what_is_an_address_is_one_in_its_own_form(text):
    address = _parse(text)
    if address is not None:
        assert _parse(address) == address
        assert address == address.strip()
        assert len(address) <= 254
        assert address.count("@") == 1
        assert address.isprintable()


@given(addresses, st.characters(categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Co", "Cn")), st.data())
def test_no_control_format_or_space_character_is_in_an_address(address, character, data):
    at = data.draw(st.integers(1, len(address) - 1))
    assert _parse(address[:at] + character + address[at:]) is None


@given(addresses, st.sampled_from('()<>[]:;,"\\@'), st.data())
def test_no_special_character_is_in_an_address(address, character, data):
    at = data.draw(st.integers(0, len(address)))
    assert _parse(address[:at] + character + address[at:]) is None
    assert _parse("é" + address[:at] + character + address[at:]) is None


@pytest.mark.parametrize("address", ["jörg@example.org", "用户@例子.广告", "o'brien@example.org", "a|b@example.org"])
def test_letters_beyond_ascii_and_odd_signs_are_fine(address):
    assert _parse(address) == address


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a" * 242 + "@example.org", True),
        ("a" * 243 + "@example.org", False),
        (f"{'é' * 250}@b.c", True),
        (f"{'İ' * 130}@b.c", False),  # in lower case each is two characters
    ],
)
def test_254_characters_at_most(text, valid):
    assert (_parse(text) is not None) is valid


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "a@", "@b", "a", "a@b@c", "a@.b", "a@b.", "a@b..c", "\ufeffa@b.c", "a@[127.0.0.1]", '"a"@b.c'),
        *("é..a@b.c", ".é@b.c", "é.@b.c", "a@é..b", "a@.é", "a@é."),
    ],
)
def test_no_addresses(text):
    assert _parse(text) is None


@given(dot_atoms)
@example("a" * 64)
@example("a" * 65)
def test_local_parts_are_dot_atoms_of_64_characters(text):
    assert is_local_part(text) is (len(text) <= 64)


@given(st.text(max_size=10).filter(lambda text: not text.isascii()))
def test_local_parts_of_aliases_are_ascii(text):
    assert not is_local_part(text)
