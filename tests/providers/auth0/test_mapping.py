# SPDX-License-Identifier: MIT
"""Auth0's users as users of the service, whatever stands in their fields."""

from __future__ import annotations

import json
import logging
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from app.domain.errors import ProviderUnavailable
from providers.auth0.mapping import UserReader, to_user
from providers.auth0.odd_fields import Oddities
from providers.auth0.tenant.answers import Answer
from providers.http import BrokenAnswer


class Counted:
    """Counts odd fields."""

    def __init__(self):
        self.odd_fields = Counter()

    def odd(self, field):
        self.odd_fields[field] += 1


@pytest.fixture
def counted():
    return Counted()


@pytest.fixture
def logged():
    records = []
    handler = logger.add(lambda message: records.append(message.record), level=logging.INFO)
    yield records
    logger.remove(handler)


def read(body: bytes, counted: Counted | None = None):
    return UserReader(Oddities(counted or Counted())).one(Answer(200, {}, body))


def user(counted: Counted | None = None, **fields):
    return to_user(read(json.dumps({"user_id": "auth0|ada", **fields}).encode(), counted))


def with_identity(counted: Counted | None = None, **fields):
    """Return the second identity of a user, of whom the first is the account."""
    identity = {"provider": "google-oauth2", "user_id": "7", "connection": "google-oauth2", **fields}
    return user(counted, identities=[{"provider": "auth0", "user_id": "ada"}, identity]).identities[1]


def identity_id(number: str) -> str:
    body = f'{{"user_id": "auth0|ada", "identities": [{{"provider": "github", "user_id": {number}}}]}}'
    return to_user(read(body.encode())).identities[0].identity_id


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("4711", "4711"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("1e3", "1000"),
        ("-1", "-1"),
        ("-0.50", "-0.50"),
        ('"007"', "007"),
        ('["a", "b"]', "a"),
    ],
)
def test_a_number_is_its_exact_digits_and_a_list_of_texts_its_first(number, digits):
    assert identity_id(number) == digits


@pytest.mark.parametrize(
    "number",
    ["1e99999", "1e-99999", f"1e{'9' * 40}", "true", "null", "{}", "[]", "[1]", '["a", 1]', '[["a"]]', "1" * 5000],
)
def test_what_is_no_text_is_absent_and_harms_nothing_beside_it(number):
    assert identity_id(number) == ""


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (True, True),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        (False, False),
        (None, False),
        ("false", False),
        ("", False),
        ("yes", False),
        ("1", False),
        (" true", False),
        ("ada@example.org", False),
        (1, False),
        ([True], False),
        (["true"], False),
        ({"value": True}, False),
    ],
)
def test_only_true_and_the_word_say_that_an_address_is_verified(said, means):
    profile = {"email": "a@b.example", "email_verified": said}
    assert with_identity(profileData=profile).email_verified is means
    first = {"provider": "email", "connection": "email", "user_id": "1"}
    assert user(email="a@b.example", email_verified=said, identities=[first]).identities[0].email_verified is means


@pytest.mark.parametrize("field", ["username", "email"])
@pytest.mark.parametrize(
    ("value", "means"),
    [(["ada", "eda"], "ada"), (5, "5"), ({}, ""), ({"x": "ada"}, ""), ([], ""), (True, ""), ([1], ""), (None, "")],
)
def test_a_text_of_a_user(field, value, means):
    made = user(**{field: value})
    assert {"username": made.username, "email": made.primary_email}[field] == means


@pytest.mark.parametrize("field", ["email", "nickname", "name"])
@pytest.mark.parametrize(("value", "means"), [(["a", "b"], "a"), (42, "42"), ({"a": "b"}, ""), (False, "")])
def test_a_text_of_a_profile(field, value, means):
    identity = with_identity(profileData={"email": "e", "nickname": "n", "name": "m", field: value})
    kept = {"email": "e", "nickname": "n", "name": "m", field: means}
    assert (identity.email, identity.nickname, identity.name) == (kept["email"], kept["nickname"], kept["name"])


@pytest.mark.parametrize("odd", [[], "x", 5, True, [["a"]], [{"city": "Oslo"}]])
def test_metadata_that_is_no_object_is_none(odd):
    made = user(user_metadata=odd, username="ada", email="a@b.example")
    assert (made.user_metadata, made.username, made.primary_email) == ({}, "ada", "a@b.example")


def test_metadata_that_is_no_string_is_left_out():
    assert user(user_metadata={"city": 5, "country": "GB", "other": "x"}).user_metadata == {"country": "GB"}


@pytest.mark.parametrize("odd", [[], "x", 5, True])
def test_a_profile_that_is_no_object_is_none(odd):
    identity = with_identity(profileData=odd)
    assert (identity.provider, identity.identity_id, identity.email, identity.name) == ("google-oauth2", "7", "", "")


@pytest.mark.parametrize("odd", [{}, "x", 5, True, {"provider": "email"}])
def test_identities_that_are_no_list_are_none(odd):
    assert user(identities=odd).identities == ()


def test_an_identity_that_is_no_object_is_left_out_and_the_others_keep_their_places():
    alternate = {
        "provider": "email",
        "connection": "email",
        "user_id": "1",
        "profileData": {"email": "a@b.example", "email_verified": True},
    }
    made = user(identities=[5, alternate])
    assert [i.email for i in made.alternate_emails] == ["a@b.example"]


@pytest.mark.parametrize("odd", [5, "email", None, [], {"provider": ["email", "x"], "connection": {}, "user_id": "2"}])
def test_an_odd_identity_never_makes_a_user_one_that_may_be_removed(odd):
    email = {"provider": "email", "connection": "email", "user_id": "1"}
    made = read(json.dumps({"user_id": "email|1", "identities": [email, odd]}).encode())
    assert (made.only_email, made.is_linked) == (False, True)


@pytest.mark.parametrize("odd", [{}, [], "true", 1, {"system_managed": "true"}, {"system_managed": 1}, None])
def test_only_true_says_that_the_platform_made_a_user(odd):
    assert not read(json.dumps({"user_id": "email|1", "app_metadata": odd}).encode()).system_managed


@pytest.mark.parametrize("odd", [{}, {"$date": "2026-01-31T12:00:00Z"}, 5, [], "", "x", "9" * 5000, "0001-01-01"])
def test_a_date_that_is_none_is_unknown(odd):
    assert read(json.dumps({"user_id": "email|1", "created_at": odd}).encode()).created() is None


@pytest.mark.parametrize("content", [[], 5, "x", None, {}, {"user_id": ""}, {"user_id": None}, {"user_id": {}}])
def test_what_is_no_user_at_all_is_the_providers_fault_and_is_not_shown(content):
    with pytest.raises(ProviderUnavailable) as error:
        read(json.dumps(content).encode())
    assert str(error.value.__cause__) == "the answer is not a user"


def test_of_a_list_what_is_no_user_is_left_out(counted):
    body = json.dumps([5, {}, {"user_id": "auth0|ada", "email": ["a@b.example"]}, None, {"user_id": []}]).encode()
    (found,) = UserReader(Oddities(counted)).all(Answer(200, {}, body))
    assert (found.user_id, found.email) == ("auth0|ada", "a@b.example")
    assert counted.odd_fields == {"user": 4, "email": 1}


@pytest.mark.parametrize("content", [{}, {"users": []}, "x", 5, None])
def test_what_is_no_list_of_users_is_the_providers_fault(content):
    with pytest.raises(ProviderUnavailable):
        UserReader(Oddities(Counted())).all(Answer(200, {}, json.dumps(content).encode()))


@pytest.mark.parametrize("depth", [100, 2_000, 10_000])
def test_what_is_nested_too_deep_is_absent_and_the_rest_is_read(depth):
    body = (
        b'[{"user_id": "auth0|a]d{a", "user_metadata": {"city": "Oslo", "x": '
        + b'{"y": [' * depth
        + b"]}" * depth
        + b', "bio": "\\"[{"}}, {"user_id": "auth0|bob"}]'
    )
    first, second = UserReader(Oddities(Counted())).all(Answer(200, {}, body))
    assert (first.user_id, second.user_id) == ("auth0|a]d{a", "auth0|bob")
    assert to_user(first).user_metadata == {"city": "Oslo", "bio": '"[{'}


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 2_000_000, b'{"a":' * 50_000, b"[" * 5_000 + b"]" * 4_999])
def test_what_is_nested_and_no_json_is_a_broken_answer(body):
    with pytest.raises(BrokenAnswer):
        read(body)


def test_what_is_missing_or_null_is_empty_and_not_odd(counted):
    made = user(counted, username=None, email=None, user_metadata=None, identities=None, email_verified=None)
    assert (made.username, made.primary_email, made.user_metadata, made.identities) == ("", "", {}, ())
    assert counted.odd_fields == {}


def test_an_odd_field_is_counted_each_time_and_logged_once_a_user_and_field(counted, logged):
    reader = UserReader(Oddities(counted))
    body = json.dumps({"user_id": "auth0|johanna", "email": {"a": "johanna@example.org"}, "username": ["jo"]}).encode()
    for _ in range(3):
        reader.one(Answer(200, {}, body))
    reader.one(Answer(200, {}, body.replace(b"johanna", b"matilda")))
    assert counted.odd_fields == {"email": 4, "username": 4}
    said = sorted((r["extra"]["user"], r["extra"]["field"], r["level"].name) for r in logged)
    assert said == [
        ("auth0|joh****", "email", "WARNING"),
        ("auth0|joh****", "username", "INFO"),
        ("auth0|mat****", "email", "WARNING"),
        ("auth0|mat****", "username", "INFO"),
    ]


def test_a_first_identity_of_the_email_connection_has_the_accounts_own_address():
    made = user(
        email="a@b.example",
        email_verified=True,
        identities=[{"provider": "email", "connection": "email", "user_id": "1"}],
    )
    (first,) = made.identities
    assert (first.email, first.email_verified, made.alternate_emails) == ("a@b.example", True, ())


def test_a_further_identity_that_repeats_the_primary_address_is_an_alternate():
    repeated = {"provider": "email", "connection": "email", "user_id": "1", "profileData": {"email": "a@b.example"}}
    made = user(email="a@b.example", identities=[{"provider": "auth0", "user_id": "ada"}, repeated])
    assert [i.email for i in made.alternate_emails] == ["a@b.example"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = ("username", "email", "email_verified", "user_metadata", "app_metadata", "created_at", "name", "blocked")
OF_IDENTITIES = ("provider", "user_id", "connection", "isSocial", "profileData")
ALTERNATE = {
    "provider": "email",
    "connection": "email",
    "user_id": "1",
    "profileData": {"email": "ada@lovelace.example", "email_verified": True},
}


@given(
    odd=st.dictionaries(st.sampled_from(FIELDS), anything),
    identity=anything | st.dictionaries(st.sampled_from(OF_IDENTITIES), anything),
    stranger=anything,
)
def test_whatever_stands_in_other_fields_what_is_well_formed_is_read(odd, identity, stranger):
    account = {"provider": "auth0", "user_id": "ada", "connection": "Username-Password-Authentication"}
    sound = {"username": "ada", "email": "ada@example.org", "user_metadata": {"city": "Oslo"}}
    written = {"user_id": "auth0|ada", **sound, **odd, "identities": [account, identity, ALTERNATE]}
    body = json.dumps([stranger, written, {"user_id": "auth0|bob", "identities": stranger}]).encode()
    *_, wire, bob = UserReader(Oddities(Counted())).all(Answer(200, {}, body))
    made = to_user(wire)
    assert (made.user_id, bob.user_id, wire.has_database_identity) == ("auth0|ada", "auth0|bob", True)
    assert "ada@lovelace.example" in {i.email for i in made.alternate_emails if i.email_verified}
    assert "username" in odd or made.username == "ada"
    assert "email" in odd or made.primary_email == "ada@example.org"
    assert "user_metadata" in odd or made.user_metadata == {"city": "Oslo"}
