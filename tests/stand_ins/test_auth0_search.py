# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

EVERYBODY = 6
ADA = ["auth0|ada"]


def quoted(value):
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('identities.profileData.email:"ada@lovelace.example"', ADA),
        ('identities.profileData.email:"ada@unverified.example"', ADA),
        ('identities.profileData.email:"ADA@lovelace.example"', []),
        ('identities.profileData.email:"ada@example.org"', []),
        ('identities.user_id:"ada"', ADA),
        ('identities.user_id:"4711"', ["auth0|linus_t"]),
        ("identities.user_id:4711", ["auth0|linus_t"]),
        ('identities.user_id:"ad*"', []),
        ("identities.user_id:ad*", ADA),
        ("identities.user_id:?da", ADA),
        (r"identities.user_id:ad\*", []),
        ('email:"ADA@EXAMPLE.ORG"', ADA),
        ('name:"ada lovelace"', ADA),
        ('user_metadata.city:"London"', ADA),
        ('user_metadata.city:"london"', []),
        ('username:"ada" OR username:"linus_t"', ["auth0|ada", "auth0|linus_t"]),
        ('username:"ada" username:"linus_t"', ["auth0|ada", "auth0|linus_t"]),
        ('username:"ada" AND user_metadata.country:"GB"', ADA),
        ('username:"ada" AND user_metadata.country:"PL"', []),
        ('username:"ada" AND NOT user_metadata.country:"PL"', ADA),
        ('username:ada AND -user_metadata.country:"GB"', []),
        ('(username:"ada" OR username:"linus_t") AND user_metadata.country:"GB"', ADA),
        ("username:[ada TO ae]", ADA),
        ("_exists_:user_metadata.bio", ADA),
        (r'username:"a\da"', ADA),
    ],
)
def test_queries(api, query, found):
    assert sorted(api.search(query)) == found


@pytest.mark.parametrize(
    "value",
    [
        'x" OR user_id:* OR "',
        'x" OR username:"ada',
        '" OR _exists_:user_id OR "',
        'x" OR NOT username:"',
        'a" user_id:* "',
    ],
)
def test_an_injection_widens_a_careless_search_and_not_a_careful_one(api, value):
    assert len(api.search(f'identities.user_id:"{value}"')) > 0
    assert api.search(f"identities.user_id:{quoted(value)}") == []


@pytest.mark.parametrize("value", ['a"b', "a\\", 'a\\"', "*", "a:b", "(a", "a OR b", "ąę", "a\\\\b", "&& ||"])
def test_an_escaped_value_is_found_as_it_is(api, tenant, value):
    tenant.add_user(f"auth0|{value}")
    assert api.search(f"identities.user_id:{quoted(value)}") == [f"auth0|{value}"]


@pytest.mark.parametrize(
    ("user_id", "asked", "found"),
    [
        ("auth0|kay", "Kay@Example.net", False),
        ("auth0|kay", "kay@example.net", True),
        ("samlp|acme|kay", "Kay@Example.net", True),
        ("samlp|acme|kay", "kay@example.net", False),
    ],
)
def test_by_email_case_matters_where_another_identity_provider_gave_the_address(api, tenant, user_id, asked, found):
    tenant.add_user(user_id, email="Kay@Example.net")
    by_email = api.call("GET", "/users-by-email", params={"email": asked}).json()
    assert [user["user_id"] for user in by_email] == ([user_id] if found else [])
    assert api.search(f'email:"{asked}"') == [user_id]


@pytest.mark.parametrize("query", ['username:"ada', "(username:ada", "username:", "AND", "username:ada)", 'a:b:"c"'])
def test_what_does_not_parse_is_refused(api, query):
    reply = api.call("GET", "/users", params={"q": query})
    assert (reply.status_code, reply.json()["errorCode"]) == (400, "invalid_query_string")


def test_no_query_finds_everybody(api):
    assert len(api.call("GET", "/users").json()) == EVERYBODY


def test_totals_and_pages(api):
    reply = api.call("GET", "/users", params={"per_page": 2, "page": 1, "include_totals": "true"}).json()
    assert (reply["start"], reply["limit"], reply["length"], reply["total"]) == (2, 2, 2, EVERYBODY)
    assert len(reply["users"]) == 2


@pytest.mark.parametrize("parameters", [{"per_page": 101}, {"page": "x"}, {"search_engine": "v2"}, {"page": 20}])
def test_bad_parameters(api, parameters):
    assert api.call("GET", "/users", params=parameters).status_code == 400


def test_the_search_can_lag_behind_while_everything_else_does_not(api, tenant):
    tenant.accounts.index.lagging = True
    api.call("PATCH", "/users/auth0%7Cada", json={"user_metadata": {"city": "Paris"}})
    api.call("DELETE", "/users/auth0%7Clinus_t")
    assert api.search('user_metadata.city:"London"') == ADA
    assert api.search('username:"linus_t"') == ["auth0|linus_t"]
    assert api.call("GET", "/users/auth0%7Cada").json()["user_metadata"]["city"] == "Paris"
    tenant.accounts.index.catch_up()
    assert api.search('user_metadata.city:"London"') == []
    assert api.search('username:"linus_t"') == []
