# SPDX-License-Identifier: MIT
"""The users file: what changes in it, byte for byte."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from providers.authelia.cluster.splicing import scalar
from providers.authelia.cluster.users_file import BadUsersFile, UsersFile, WantedUser
from tests.support.costs import seconds

TYPICAL = """\
---
###############################################################
#                         Users Database                      #
###############################################################

# List of users
users:
  ada:
    disabled: false
    displayname: 'Ada Lovelace'
    # Password is authelia
    password: '$6$rounds=50000$BpLnfgDsc2WD8F2q$Zis.ixdg9s/UOJYrs56b5QEZFiZECu0qZVNsIYxBaNJ7'  # yamllint disable-line
    email: old@example.org   # the first one
    groups:
        - admins
        - "dev"
    extra: {a: 1, b: [x,   y]}
    number: 012
    nothing: ~
    spelt: "\\u00e9 é"
    text: |
      one
        two
    long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccc ddddd

  # Somebody else
  bob: {displayname: Bob, password: x, email: bob@example.org}

# The end
later:
  - kept
...
"""
NEW = {"displayname": "Grace", "password": "$2b$12$x/y", "email": "grace@example.org"}
GRACE = WantedUser("grace@example.org", "Grace")
HASH = "$2b$12$x/y"


def _with_new_address(text, email="new@example.org"):
    file = UsersFile(text)
    file.reconcile({"ada": WantedUser(email, "Ada")})
    return file.text()


def _with_grace(text):
    file = UsersFile(text)
    file.add("grace", GRACE, HASH)
    return file.text()


@pytest.mark.parametrize("text", [TYPICAL, TYPICAL.replace("\n", "\r\n")], ids=["lf", "crlf"])
def test_a_new_address_changes_the_address_and_no_other_byte(text):
    assert _with_new_address(text) == text.replace("old@example.org", "new@example.org")


def test_a_new_user_comes_after_the_last_one_and_no_other_byte_changes():
    added = '  grace:\n    displayname: Grace\n    password: "$2b$12$x/y"\n    email: grace@example.org\n'
    before, after = TYPICAL.split("\n# The end")
    assert _with_grace(TYPICAL) == before + added + "\n# The end" + after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("users:\n  ada:\n    email: x@y.z\n", "users:\n  ada:\n    displayname: ada\n    email: x@y.z\n"),
        ("users:\n  ada: {email: x@y.z}\n", "users:\n  ada: {displayname: ada, email: x@y.z}\n"),
        ("users:\n  ada:\n    displayname: ''\n", "users:\n  ada:\n    displayname: ada\n"),
        ("users:\n  ada:\n    displayname:\n    a: 1\n", "users:\n  ada:\n    displayname: ada\n    a: 1\n"),
        ("users: {ada: {a: 1}}\n", "users: {ada: {displayname: ada, a: 1}}\n"),
    ],
)
def test_a_user_without_display_name_gets_the_username(before, after):
    file = UsersFile(before)
    file.reconcile({})
    assert file.text() == after


@pytest.mark.parametrize("name", ["' '", "''", '"\\u00a0"'], ids=["space", "empty", "no-break space"])
@pytest.mark.parametrize("entry", ["{email: x@y.z}", "{displayname: ''}", "{displayname: ' '}", "{displayname: ~}"])
def test_a_blank_username_as_display_name_is_written_once(name, entry):
    """Whatever is made of such an entry, nothing more is made of that."""
    file = UsersFile(f"users:\n  {name}: {entry}\n")
    file.reconcile({})
    again = UsersFile(file.text())
    again.reconcile({})
    assert not again.changed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "users:\n",
        "users: {}\n",
        "users: ~\n",
        "# nobody yet\n",
        "other: 1\n",
        "other: 1\nusers: {}\nmore: 2\n",
        "users: {ada: {displayname: A}}",
        "users:\n  ada:\n    displayname: A",
        "users:\n  ada:\n    text: |\n      one\n\n\nmore: 2\n",
        "users: &all\n  ada: &a {displayname: A}\n  bob: *a\n",
    ],
)
def test_a_new_user_can_be_added_to_whatever_there_is(text):
    before = yaml.safe_load(text) or {}
    expected = {**before, "users": {**(before.get("users") or {}), "grace": NEW}}
    assert yaml.safe_load(_with_grace(text)) == expected


def test_an_entry_that_others_refer_to_is_not_changed_for_them():
    text = "users:\n  ada: {displayname: A, email: &e old@example.org}\n  bob: {displayname: B, email: *e}\n"
    users = yaml.safe_load(_with_new_address(text))["users"]
    assert (users["ada"]["email"], users["bob"]["email"]) == ("new@example.org", "old@example.org")


@pytest.mark.parametrize(
    "text",
    ["- a\n", "users: [", "users: x\n", "users: {a: 1}\n", "users: {a: {}, a: {}}\n", "\x00", "a\n", "--- a\n--- b\n"],
)
def test_what_is_no_users_file_is_refused(text):
    with pytest.raises(BadUsersFile):
        UsersFile(text)


def test_without_a_change_the_very_text_comes_back():
    file = UsersFile(TYPICAL)
    file.reconcile({"ada": WantedUser("OLD@example.org".lower(), "Another name")})
    assert file.text() is TYPICAL
    assert not file.changed


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn"), exclude_characters="\u2028\u2029\ufeff"))


@given(PRINTABLE)
def test_whatever_is_written_is_read_again(value):
    assert yaml.safe_load(f"a: {scalar(value)}\n") == {"a": value}


@given(PRINTABLE.filter(str.strip))
def test_any_display_name_goes_into_the_file_as_it_is(name):
    file = UsersFile(TYPICAL)
    file.add("grace", WantedUser("grace@example.org", name), HASH)
    expected = yaml.safe_load(TYPICAL)
    expected["users"]["grace"] = {**NEW, "displayname": name}
    assert yaml.safe_load(file.text()) == expected


def test_who_is_missing_is_found_in_one_walk_however_many_there_are():
    file = UsersFile("users:\n" + "".join(f"  u{n}: {{}}\n" for n in range(4_000)))
    wanted = {f"u{n}": GRACE for n in range(1, 4_001)}
    assert list(file.missing(wanted)) == ["u4000"]
    # A walk through all of them for each takes a hundred times as long.
    assert seconds(lambda: file.missing(wanted)) < 0.05
