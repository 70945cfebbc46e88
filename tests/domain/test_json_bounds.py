# SPDX-License-Identifier: MIT
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.json_bounds import NESTED, VALUES, holds_more, values

TEXTS = st.text('"\\[]{},:a\x01é', max_size=8)
JSON = st.recursive(
    TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=30
)


def nested(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) + sum(map(nested, inner))


def commas(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(len(inner) - 1, 0) + sum(map(commas, inner))


def assert_counted(value):
    data = json.dumps(value).encode()
    for marks, count in ((NESTED, nested(value)), (VALUES, nested(value) + commas(value))):
        assert not holds_more(count, data, marks)
        assert count == 0 or holds_more(count - 1, data, marks)
    assert values(data) == nested(value) + commas(value) + 1


@given(JSON)
def test_what_stands_in_strings_is_not_counted(value):
    assert_counted(value)


@pytest.mark.parametrize(
    "value",
    [
        ["\\", '"[', '\\"{', '""', "[,"],
        {'"': ["]", {"\\\\": "["}]},
        ["", [], "", [[]]],
        [["a,b[c{d"], ["e"], {"f": "g"}],
        ["\\\\", "[", "\\", "{"],
        ['\\\\"', ",", '"'],
        "",
        7,
    ],
)
def test_quotes_and_backslashes_of_every_kind_leave_the_count_as_it_is(value):
    assert_counted(value)


@pytest.mark.parametrize(("most", "more"), [(2, True), (3, False), (99, False)])
def test_more_is_more_than_most(most, more):
    assert holds_more(most, b"[[[", NESTED) is more


@pytest.mark.parametrize("data", [b'[""""[', b'[["'])
def test_what_is_no_json_is_counted_all_the_same(data):
    assert holds_more(1, b"[" + data, NESTED)
