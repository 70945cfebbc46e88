# SPDX-License-Identifier: MIT
"""Half a surrogate pair can be written in JSON and in nothing that comes after it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.halves import is_unicode, whole

WHOLE = ("a", "\\", "é", "🦉", '"')
HALVES = ("\ud83d", "\udca9")


def json_of(*characters: str) -> st.SearchStrategy[object]:
    texts = st.text(st.sampled_from(characters), max_size=6)
    plain = st.none() | st.booleans() | st.integers() | texts
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=20,
    )


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'"\\ud800"', "\ufffd"),
        (b'"a\\uDFFFb"', "a\ufffdb"),
        (b'"\\udca9\\ud83d"', "\ufffd\ufffd"),
        (b'"\\ud83d\\udca9 \\ud7ff \\ue000"', "💩 \ud7ff \ue000"),
        (b'{"\\ud800": ["x", {"y": "\\udc00"}], "n": 5}', {"\ufffd": ["x", {"y": "\ufffd"}], "n": 5}),
        (b'["\\\\ud800"]', ["\\ud800"]),
    ],
)
def test_half_a_pair_becomes_the_replacement_character(data, read):
    assert whole(json.loads(data), data) == read


@given(json_of(*WHOLE, *HALVES))
def test_whatever_was_read_can_be_written_and_stays_as_it_is(value):
    data = json.dumps(value).encode()
    found = whole(json.loads(data), data)
    written = json.dumps(found, ensure_ascii=False)
    assert is_unicode(written)
    assert whole(found, data) == found


@given(json_of(*WHOLE))
def test_what_has_no_half_is_left_as_it_is(value):
    data = json.dumps(value).encode()
    assert whole(json.loads(data), data) == value


@pytest.mark.parametrize(
    ("text", "said"), [("", True), ("ada", True), ("łukasz 🦉", True), ("\ud800", False), ("ada\udfff", False)]
)
def test_a_text_with_half_a_pair_is_no_unicode(text, said):
    assert is_unicode(text) is said
