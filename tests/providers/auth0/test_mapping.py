# SPDX-License-Identifier: MIT
"""Auth0's users as users of the service."""

from __future__ import annotations

import json

import pytest

from app.domain.errors import ProviderUnavailable
from providers.auth0.answers import Answer, BrokenAnswer
from providers.auth0.mapping import read_user, to_user


def user(**fields):
    return to_user(read_user(Answer(200, {}, json.dumps({"user_id": "auth0|ada", **fields}).encode())))


def identity_id(number: str) -> str:
    body = f'{{"user_id": "auth0|ada", "identities": [{{"provider": "github", "user_id": {number}}}]}}'
    return to_user(read_user(Answer(200, {}, body.encode()))).identities[0].identity_id


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        ("4711", "4711"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("1e3", "1000"),
        ("-1", "-1"),
        ('"007"', "007"),
    ],
)
def test_a_number_is_its_exact_digits(number, digits):
    assert identity_id(number) == digits


@pytest.mark.parametrize("number", ["1e99999", "1e-99999", "true", "null", "{}", "[1]", "NaN", "1" * 5000])
def test_what_is_no_id_makes_the_answer_unusable(number):
    with pytest.raises((ProviderUnavailable, BrokenAnswer)):
        identity_id(number)


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": 5},
        {"user_id": ""},
        {"username": 5},
        {"email": ["a"]},
        {"email_verified": "yes"},
        {"user_metadata": []},
        {"user_metadata": "x"},
        {"identities": {}},
        {"identities": [5]},
        {"identities": [{"provider": 1, "user_id": "x"}]},
        {"identities": [{"provider": "x"}]},
        {"identities": [{"provider": "x", "user_id": "y", "profileData": []}]},
        {"identities": [{"provider": "x", "user_id": "y", "profileData": {"email": 5}}]},
    ],
)
def test_a_wrong_type_makes_the_answer_unusable_and_is_not_shown(fields):
    with pytest.raises(ProviderUnavailable) as error:
        user(**fields)
    assert "ada" not in str(error.value.__cause__)


def test_what_is_missing_or_null_is_empty():
    made = user(username=None, email=None, user_metadata=None)
    assert (made.username, made.primary_email, made.user_metadata, made.identities) == ("", "", {}, ())


def test_metadata_that_is_no_string_is_left_out():
    assert user(user_metadata={"city": 5, "country": "GB", "other": "x"}).user_metadata == {"country": "GB"}


def test_only_true_says_that_an_address_is_verified():
    alternates = [
        {
            "provider": "email",
            "connection": "email",
            "user_id": str(n),
            "profileData": {"email": "a@b.example", "email_verified": said},
        }
        for n, said in enumerate((True, "true", False, None))
    ]
    made = user(identities=[{"provider": "auth0", "user_id": "ada"}, *alternates])
    assert [i.email_verified for i in made.alternate_emails] == [True, False, False, False]


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
