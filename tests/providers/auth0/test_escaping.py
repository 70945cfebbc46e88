# SPDX-License-Identifier: MIT
"""No value leaves its place in a path or a query."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import httpx
import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from providers.auth0.tenant.escaping import UnsafeSegment, phrase, segment
from tests.stand_ins.auth0 import lucene

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("auth0|x", "auth0%7Cx"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("..;", "..%3B"),
        ("%2e%2e", "%252e%252e"),
        ("ł", "%C5%82"),
    ],
)
def test_a_value_is_one_segment(value, encoded):
    assert segment(value) == encoded


@pytest.mark.parametrize("value", ["", ".", "..", "\udce9"])
def test_what_a_path_would_lose_is_refused(value):
    with pytest.raises(UnsafeSegment):
        segment(value)


@given(TEXTS.filter(lambda text: text not in {".", ".."}))
def test_a_segment_is_read_back_as_it_was_after_all_that_handles_an_address(value):
    url = f"https://tenant.example/api/v2/users/{segment(value)}/identities"
    sent = yarl.URL(str(httpx.URL(url))).raw_path
    assert sent.startswith("/api/v2/users/")
    assert sent.endswith("/identities")
    assert unquote(sent.removeprefix("/api/v2/users/").removesuffix("/identities")) == value
    assert len(urlsplit(sent).path.split("/")) == 6


@pytest.mark.parametrize(
    ("value", "query"), [('a"b', r'"a\"b"'), ("a\\", r'"a\\"'), ("a*", '"a*"'), ("a OR b", '"a OR b"')]
)
def test_a_value_is_one_phrase(value, query):
    assert phrase(value) == query


@given(TEXTS)
def test_a_phrase_matches_its_value_and_no_other(value):
    query = lucene.parse(f"identities.user_id:{phrase(value)}")
    assert query.matches({"identities": [{"user_id": value}]})
    assert not query.matches({"identities": [{"user_id": value + "x"}, {"user_id": "x" + value}]})
    assert not query.matches({"identities": [{"user_id": "ada"}], "user_id": value}) or value == "ada"
