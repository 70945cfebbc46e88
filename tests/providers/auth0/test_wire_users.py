# SPDX-License-Identifier: MIT
"""A user as the tenant writes one, read whole; and what is told of each field that is odd."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from loguru import logger

from app.domain.errors import ProviderUnavailable
from app.domain.users import Identity
from providers.auth0.mapping import UserReader, WireIdentity, WireUser, to_user
from providers.auth0.odd_fields import Oddities
from providers.auth0.tenant.answers import Answer

ACCOUNT = {
    "provider": "auth0",
    "user_id": "ada",
    "connection": "Username-Password-Authentication",
    "isSocial": False,
}
GOOGLE = {
    "provider": "google-oauth2",
    "user_id": "102938",
    "connection": "google",
    "isSocial": True,
    "profileData": {
        "email": "ada@gmail.example",
        "email_verified": True,
        "nickname": "countess",
        "name": "Ada Lovelace",
    },
}
ADA = {
    "user_id": "auth0|ada",
    "username": "ada",
    "email": "ada@example.org",
    "email_verified": True,
    "user_metadata": {"city": "London"},
    "app_metadata": {"system_managed": True},
    "created_at": "2026-01-31T12:00:00.500Z",
    "identities": [ACCOUNT, GOOGLE],
}


class Told:
    """Takes note of odd fields: how often, and in which words, by field."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.logged: list[tuple[str, str, str]] = []

    def odd(self, field: str) -> None:
        self.counted[field] += 1


@pytest.fixture
def told():
    seen = Told()
    handler = logger.add(
        lambda line: seen.logged.append(tuple(line.split())), format="{level} {extra[user]} {extra[field]}", level=0
    )
    yield seen
    logger.remove(handler)


def read(content: object, told: Told | None = None, known_as: str = "") -> WireUser:
    return UserReader(Oddities(told or Told())).one(Answer(200, {}, json.dumps(content).encode()), known_as)


def test_every_field_is_read(told):
    wire = read(ADA, told)
    assert wire == WireUser(
        user_id="auth0|ada",
        username="ada",
        email="ada@example.org",
        email_verified=True,
        user_metadata={"city": "London"},
        system_managed=True,
        identities=(
            WireIdentity("auth0", "ada", "Username-Password-Authentication"),
            WireIdentity(
                provider="google-oauth2",
                user_id="102938",
                connection="google",
                is_social=True,
                email="ada@gmail.example",
                email_verified=True,
                nickname="countess",
                name="Ada Lovelace",
            ),
        ),
        created_at="2026-01-31T12:00:00.500Z",
    )
    assert wire.created() == 1769860800.5
    assert told.counted == {}


def test_the_account_itself_has_no_profile_of_its_own_and_others_have_theirs():
    made = to_user(read(ADA))
    assert (made.user_id, made.username, made.primary_email) == ("auth0|ada", "ada", "ada@example.org")
    assert made.user_metadata == {"city": "London"}
    assert made.identities == (
        Identity("auth0", "ada", "Username-Password-Authentication", is_account=True),
        Identity(
            provider="google-oauth2",
            identity_id="102938",
            connection="google",
            email="ada@gmail.example",
            email_verified=True,
            nickname="countess",
            name="Ada Lovelace",
            is_social=True,
        ),
    )


def test_a_further_email_identity_has_its_own_address_and_not_the_accounts():
    own = {"provider": "email", "connection": "email", "user_id": "1", "profileData": {"email": "own@example.org"}}
    further = to_user(read({**ADA, "identities": [ACCOUNT, own]})).identities[1]
    assert (further.email, further.email_verified, further.is_account) == ("own@example.org", False, False)


def test_who_a_user_is():
    wire = read(ADA)
    assert (wire.only_email, wire.is_linked, wire.has_database_identity) == (False, True, True)
    assert (wire.is_called("ada"), wire.is_called("Ada"), wire.is_called("102938")) == (True, False, False)
    asked = ("auth0|ada", "google-oauth2|102938", "google|102938", "auth0|102938")
    assert [subject for subject in asked if wire.has(subject)] == ["auth0|ada", "google-oauth2|102938"]


@pytest.mark.parametrize(
    ("identities", "only_email", "linked"),
    [
        ([], False, True),
        ([{"provider": "email", "connection": "email"}], True, False),
        ([{"provider": "email", "connection": "email"}] * 2, True, True),
        ([{"provider": "email", "connection": "sms"}], False, False),
        ([{"provider": "sms", "connection": "email"}], False, False),
        ([ACCOUNT], False, False),
    ],
)
def test_a_user_who_is_an_address_and_nothing_else(identities, only_email, linked):
    wire = read({"user_id": "email|1", "identities": identities})
    assert (wire.only_email, wire.is_linked) == (only_email, linked)
    assert wire.has_database_identity is (identities == [ACCOUNT])


def test_an_answer_without_an_id_is_that_of_the_user_who_was_asked_for(told):
    assert read({"email": "ada@example.org"}, told, "auth0|johanna").user_id == "auth0|johanna"
    assert read({"user_id": "auth0|matilda"}, told, "auth0|johanna").user_id == "auth0|matilda"
    assert told.counted == {}
    assert read({"user_id": {}}, told, "auth0|johanna").user_id == "auth0|johanna"
    assert read({"user_id": 5}, told, "auth0|johanna").user_id == "5"
    with pytest.raises(ProviderUnavailable):
        read([], told, "auth0|johanna")
    assert told.counted == {"user_id": 2, "user": 1}
    assert told.logged == [
        ("WARNING", "auth0|joh****", "user_id"),
        ("INFO", "****", "user_id"),
        ("WARNING", "auth0|joh****", "user"),
    ]


def test_what_is_no_list_of_users_is_said_to_be_none():
    with pytest.raises(ProviderUnavailable) as raised:
        UserReader(Oddities(Told())).all(Answer(200, {}, b"{}"))
    assert str(raised.value.__cause__) == "the answer is not a list of users"


@pytest.mark.parametrize(
    ("fields", "field", "level"),
    [
        ({"username": 5}, "username", "INFO"),
        ({"email": {}}, "email", "WARNING"),
        ({"email_verified": "true"}, "email_verified", "INFO"),
        ({"email_verified": "FALSE"}, "email_verified", "INFO"),
        ({"email_verified": "yes"}, "email_verified", "WARNING"),
        ({"email_verified": 1}, "email_verified", "WARNING"),
        ({"user_metadata": []}, "user_metadata", "INFO"),
        ({"user_metadata": [1]}, "user_metadata", "WARNING"),
        ({"app_metadata": "x"}, "app_metadata", "WARNING"),
        ({"app_metadata": {"system_managed": "true"}}, "app_metadata.system_managed", "WARNING"),
        ({"created_at": {}}, "created_at", "WARNING"),
        ({"identities": {}}, "identities", "INFO"),
        ({"identities": {"0": ACCOUNT}}, "identities", "WARNING"),
        ({"identities": [ACCOUNT, 5]}, "identities", "WARNING"),
        ({"identities": [{"provider": ["auth0"]}]}, "identities.provider", "INFO"),
        ({"identities": [{"user_id": True}]}, "identities.user_id", "WARNING"),
        ({"identities": [{"isSocial": "true"}]}, "identities.isSocial", "WARNING"),
        ({"identities": [{"profileData": []}]}, "identities.profileData", "INFO"),
        ({"identities": [{"profileData": {"name": {}}}]}, "identities.profileData.name", "WARNING"),
    ],
)
def test_an_odd_field_is_told_with_its_place_and_whether_it_was_understood(fields, field, level, told):
    read({"user_id": "auth0|johanna", **fields}, told)
    assert told.counted == {field: 1}
    assert told.logged == [(level, "auth0|joh****", field)]


@pytest.mark.parametrize(
    ("number", "digits"), [("1e64", "1" + "0" * 64), ("1e65", ""), ("1e-64", "0." + "0" * 63 + "1")]
)
def test_a_number_of_more_than_65_digits_is_no_text(number, digits):
    body = f'{{"user_id": "auth0|ada", "username": {number}}}'.encode()
    assert UserReader(Oddities(Told())).one(Answer(200, {}, body)).username == digits


def test_of_the_last_4096_users_and_fields_each_is_logged_once(told):
    oddities = Oddities(told)
    for number in (*range(4096), 0, 4096, 0, 1):
        oddities.note(f"{number:04}|x", "email", understood=False)
    users = [user for _, user, _ in told.logged]
    assert len(users) == 4098
    assert users[4096:] == ["4096|****", "0001|****"]
