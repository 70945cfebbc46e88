# SPDX-License-Identifier: MIT
"""Records with odd fields: each is read by itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.authelia.storage import records
from providers.authelia.storage.social import without_social


@pytest.mark.parametrize(
    ("stored", "read"),
    [("98765", "98765"), (98765, "98765"), (True, ""), (None, ""), (["98765"], ""), ({"a": 1}, ""), (1.5, "")],
)
def test_the_identifier_of_an_identity_is_a_text_or_a_whole_number(stored, read):
    record = {"identities": [{"provider": "github", "identity_id": stored}, {"provider": "github", "identity_id": "1"}]}
    assert [one.identity_id for one in records.user("ada", record).identities] == [read, "1"]
    assert without_social(record, "github", read)["identities"] == [{"provider": "github", "identity_id": "1"}]


HALVES = ["\ud800", "a\udfff@example.org", "auth0|\ud8ff"]
ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(HALVES)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
ENTRY_FIELDS = ("provider", "identity_id", "connection", "email", "email_verified", "verified")
ENTRY = st.fixed_dictionaries({}, optional=dict.fromkeys(ENTRY_FIELDS, ANYTHING))
FIELDS = dict.fromkeys(("username", "sub", "email", "displayname", "user_metadata", "created_at"), ANYTHING)
LISTS = {name: ANYTHING | st.lists(ENTRY, max_size=3) for name in ("alternate_email", "identities")}


@settings(deadline=None, derandomize=True, database=None, max_examples=200)
@given(stored=st.fixed_dictionaries({}, optional={**FIELDS, **LISTS}), address=ANY_TEXT)
def test_whatever_a_record_holds_it_can_be_read_told_looked_up_and_written_again(stored, address):
    record = records.parse(json.dumps(stored).encode())
    user = records.user("ada", record)
    told = [user.user_id, user.primary_email, *user.user_metadata.values(), *user.user_metadata]
    told += [text for one in user.identities for text in (one.provider, one.identity_id, one.email)]
    assert all(text.encode("utf-8").decode() == text for text in told)
    for one in records.held(record):
        assert len(records.email_key(one)) == len(records.subject_key(user.user_id)) + 2
    assert records.parse(records.encode(records.without_alternate(record, address), 0)) is not None


def test_half_a_character_is_shown_as_a_replacement_and_the_rest_stays():
    stored = b'{"sub": "a\\ud800", "email": "\\udfff@example.org", "displayname": "\\ud83d\\ude00", "n\\ud800": [1]}'
    assert records.parse(stored) == {
        "sub": "a\ufffd",
        "email": "\ufffd@example.org",
        "displayname": "\U0001f600",
        "n\ufffd": [1],
    }
