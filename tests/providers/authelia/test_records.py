# SPDX-License-Identifier: MIT
"""Records: what is read and written of them, whatever stands in their fields, and the keys by which they are found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.users import Address, Identity
from providers.authelia.storage import records
from providers.authelia.storage.kv import is_legal_key
from providers.authelia.storage.records import email_key, subject_key
from providers.authelia.storage.social import without_social

NEW = Address("new@example.org")
ODD = Address("jörg@bücher.example")
AS_LABELS = "jörg@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("stored", "read"),
    [("98765", "98765"), (98765, "98765"), (True, ""), (None, ""), (["98765"], ""), ({"a": 1}, ""), (1.5, "")],
)
def test_the_identifier_of_an_identity_is_a_text_or_a_whole_number(stored, read):
    record = {"identities": [{"provider": "github", "identity_id": stored}, {"provider": "github", "identity_id": "1"}]}
    assert [one.identity_id for one in records.user("ada", record).identities] == [read, "1"]
    assert without_social(record, "github", read)["identities"] == [{"provider": "github", "identity_id": "1"}]


def test_alternates_of_older_data_among_the_identities_move_with_all_that_is_known_of_them():
    github = {"provider": "github", "identity_id": "1", "email": "c@example.org"}
    record = {
        "identities": [
            {"provider": "email", "email": "a@example.org", "email_verified": True},
            github,
            {"provider": "auth0", "connection": "email", "email": "b@example.org"},
            "odd",
        ],
        "alternate_email": [{"email": "d@example.org", "verified": True}],
    }
    changed = records.with_verified(record, NEW)
    assert changed["identities"] == [github, "odd"]
    assert [(entry["email"], entry["verified"]) for entry in changed["alternate_email"]] == [
        ("a@example.org", True),
        ("b@example.org", False),
        ("d@example.org", True),
        (NEW, True),
    ]


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
@given(stored=st.fixed_dictionaries({}, optional={**FIELDS, **LISTS}), address=ANY_TEXT, escaped=st.booleans())
def test_whatever_a_record_holds_it_can_be_read_told_looked_up_and_written_again(stored, address, escaped):
    record = records.parse(json.dumps(stored, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    assert record is not None
    user = records.user("ada", record)
    told = [user.user_id, user.primary_email, *user.user_metadata.values(), *user.user_metadata]
    told += [text for one in user.identities for text in (one.provider, one.identity_id, one.email)]
    assert all(text.encode("utf-8").decode() == text for text in told)
    for one in records.held(record):
        assert len(records.email_key(one)) == len(records.subject_key(user.user_id)) + 2
    assert records.parse(records.encode(records.without_alternate(record, address), 0)) is not None


@pytest.mark.parametrize("escaped", [True, False])
def test_half_a_character_is_shown_as_a_replacement_and_the_rest_stays(escaped):
    text = r'{"sub": "a\ud800", "email": "\udfff@example.org", "displayname": "\ud83d\ude00", "n\ud800": [1]}'
    stored = (
        text.encode() if escaped else json.dumps(json.loads(text), ensure_ascii=False).encode("utf8", "surrogatepass")
    )
    assert records.parse(stored) == {
        "sub": "a\ufffd",
        "email": "\ufffd@example.org",
        "displayname": "\U0001f600",
        "n\ufffd": [1],
    }


def test_a_record_as_a_user():
    record = {
        "sub": " S ",
        "email": " Ada@Example.org",
        "user_metadata": {"city": "Oslo", "other": "x"},
        "identities": [
            {"provider": "github", "identity_id": 7, "email": "a@b.c", "email_verified": True, "is_social": True}
            | {"nickname": "n", "name": "m"},
            {"provider": "p", "connection": "c", "email_verified": "true", "is_social": 1},
            5,
        ],
        "alternate_email": [{"email": "X@Y.z", "verified": True}, {"email": "v@w.x", "verified": 1}, {"email": " "}],
    }
    user = records.user("ada", record)
    assert (user.user_id, user.username, user.primary_email) == ("S", "ada", "ada@example.org")
    assert user.user_metadata == {"city": "Oslo"}
    assert user.identities == (
        Identity("github", "7", "github", "a@b.c", email_verified=True, nickname="n", name="m", is_social=True),
        Identity("p", "", "c"),
        Identity("email", "x@y.z", "email", "x@y.z", email_verified=True),
        Identity("email", "v@w.x", "email", "v@w.x"),
    )
    assert [*records.held(record)] == ["ada@example.org", "x@y.z"]
    assert records.mentions(record, Address("V@w.x"))
    assert not records.holds(record, Address("v@w.x"))
    assert not records.mentions(record, Address("a@b.c"))


@pytest.mark.parametrize("record", [{}, {"email": 5, "user_metadata": [], "identities": {}, "alternate_email": "x"}])
def test_a_record_of_nothing_is_a_user_of_nothing(record):
    user = records.user("ada", record)
    assert (user.user_id, user.primary_email, user.user_metadata, user.identities) == ("auth0|ada", "", {}, ())
    assert [*records.held(record)] == []


def test_alternates_come_and_go():
    record = {"a": 1, "alternate_email": [{"email": "X@y.z", "more": 1}, {"email": "v@w.x", "verified": True}]}
    x, v = Address("x@y.z"), Address("v@w.x")
    assert records.with_verified(record, x)["alternate_email"][0] == {"email": "X@y.z", "more": 1, "verified": True}
    assert records.with_verified(record, NEW)["alternate_email"][2] == {"email": NEW, "verified": True}
    assert records.without_alternate(record, x) == {"a": 1, "alternate_email": record["alternate_email"][1:]}
    assert records.without_alternate(record, v, unverified_only=True) == record
    assert records.without_alternate(record, x, unverified_only=True) == records.without_alternate(record, x)


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (b'{"a": 1}', {"a": 1}),
        (None, None),
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b"\xff", None),
        (b"[" * 50_000, None),
        (b'{"a": [%s]}' % b",".join([b"1"] * 49_999), {"a": [1] * 49_999}),
        (b'{"a": [%s]}' % b",".join([b"1"] * 50_000), None),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_what_is_a_record(value, record):
    assert records.parse(value) == record


def test_what_is_stored():
    assert records.encode({"a": "é", "updated_at": "x"}, 1_900_000_000.5) == (
        '{"a":"é","updated_at":"2030-03-17T17:46:40.500000Z"}'.encode()
    )


@pytest.mark.parametrize(
    ("key", "legal", "name"),
    [
        ("ada", True, True),
        ("grace.hopper", True, True),
        ("a-b_c=d/e", True, True),
        ("lookup/x", True, False),
        ("lookups", True, True),
        ("_kv", False, False),
        ("_kvx", False, False),
        ("a..b", False, False),
        (".a", False, False),
        ("a b", False, False),
        ("é", False, False),
        ("", False, False),
        ("a" * 512, True, True),
        ("a" * 513, False, False),
        ("a." * 255 + "aa", True, True),
        ("a." * 256 + "a", False, False),
    ],
    ids=lambda value: f"{value[:12]} {len(value)}" if isinstance(value, str) else None,
)
def test_what_can_be_a_key_and_a_username(key, legal, name):
    assert (is_legal_key(key), records.is_username(key)) == (legal, name)


def test_lookup_keys_are_of_the_hash_of_what_is_compared_without_regard_to_case():
    assert email_key("a@b.c").startswith("lookup/authelia-users/email/")
    assert email_key(" ADA@Example.org ") == email_key("ada@example.org")
    assert len(email_key("a@b.c")) == 28 + 64
    assert subject_key("Auth0|Ada") == subject_key("auth0|ada") != email_key("auth0|ada")
    assert subject_key("x").startswith("lookup/authelia-users/sub/")
    assert records.other_email_keys("ada@example.org") == ()
    assert email_key(ODD) == email_key(AS_LABELS) not in records.other_email_keys(ODD)
    assert records.as_spelled(ODD) in records.other_email_keys(ODD)


# --- a bucket beside its predecessor ----------------------------------------------------------------
