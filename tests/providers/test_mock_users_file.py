# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
import yaml

from app.domain.codes import Code, Ledger, StaleRevision
from app.domain.errors import UserNotFound
from app.domain.users import Identity
from app.settings import ConfigurationError, MockSettings, NatsSettings, Settings
from providers.mock import mock_provider
from providers.mock.codes import MemoryCodeStore
from providers.mock.users_file import load_users

FIXTURES = {
    "auth0|ada": "ada",
    "auth0|grace.hopper": "grace.hopper",
    "auth0|3y4r67dCCc7aqLTCq7jTUEMJxUu4x7NZgvfp2NsribuJaECe4Z8dTGdbpm9fYLrjfkYQFSuCL2YPJM73AZF8LzMU": "łukasz",
    "auth0|linus_t": "linus_t",
    "google-oauth2|2048": "",
    "auth0|nomail": "nomail",
}


def _load(folder, content: object):
    path = folder / "users.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return load_users(path)


def _user(folder, **fields: object):
    [(entry, token)] = _load(folder, {"users": [fields]})
    return entry, token


def test_the_fixture_users():
    users = [entry.user for entry, _ in load_users(None)]
    assert {user.user_id: user.username for user in users} == FIXTURES
    assert any(not user.user_metadata for user in users)
    assert any(not user.user_metadata.get("name", "").isascii() for user in users)
    assert any(len(user.identities) > 2 for user in users)
    assert any(not identity.email_verified for user in users for identity in user.alternate_emails)
    assert all(token for _, token in load_users(None))


def test_a_username_is_enough(tmp_path):
    entry, token = _user(tmp_path, username="ada lovelace")
    assert (
        entry.user.user_id
        == "auth0|gXibEqx57ZSPn3dNYM9PrVUfkS4N6cn32xj42FeQECXKEazLCGGL1qouaXX2xi7teMSptf4Ss8tfLtaEeJvkqyD"
    )
    assert (entry.user.primary_email, entry.user.identities, entry.password, token) == ("", (), None, "")


@pytest.mark.parametrize("field", ["user_id", "sub"])
def test_a_subject_is_enough(tmp_path, field):
    entry, _ = _user(tmp_path, **{field: "github|1"})
    assert (entry.user.user_id, entry.user.username) == ("github|1", "")


def test_addresses_are_brought_into_their_form(tmp_path):
    entry, _ = _user(
        tmp_path,
        username="ada",
        primary_email=" Ada@Example.ORG ",
        identities=[
            {"provider": "email", "email": "X@Example.org"},
            {"provider": "github", "identity_id": 7, "email": "Not An Address"},
        ],
        alternate_emails=[{"email": "Y@Example.org", "verified": True}],
    )
    assert entry.user.primary_email == "ada@example.org"
    assert entry.user.identities == (
        Identity("email", "x@example.org", "email", "x@example.org"),
        Identity("github", "7", "github", "Not An Address"),
        Identity("email", "y@example.org", "email", "y@example.org", email_verified=True),
    )


def test_an_email_identity_keeps_the_id_it_has(tmp_path):
    identity = {"provider": "auth0", "connection": "email", "identity_id": "65f", "email": "x@example.org"}
    entry, _ = _user(tmp_path, username="ada", identities=[identity])
    assert [(i.identity_id, i.is_email) for i in entry.user.identities] == [("65f", True)]


def test_metadata_that_cannot_be_told_is_left_out(tmp_path):
    entry, _ = _user(tmp_path, username="ada", user_metadata={"city": "Oslo", "bio": ["x"], "shoe_size": "43"})
    assert entry.user.user_metadata == {"city": "Oslo"}


@pytest.mark.parametrize(
    "text", ["007", "0x1F", "1_000", "12:30:45", "1.10", "1001", "true", "no", "2024-01-01", "Null"]
)
def test_a_plain_scalar_is_the_text_that_it_is(tmp_path, text):
    [(entry, token)] = _load(
        tmp_path,
        f"users:\n- username: {text}\n  token: {text}\n  password: {text}\n  user_metadata: {{name: {text}}}\n"
        f"  identities: [{{provider: github, identity_id: {text}, nickname: {text}}}]\n",
    )
    assert (entry.user.username, token, entry.password) == (text, text, text)
    assert entry.user.user_metadata == {"name": text}
    assert entry.user.identities == (Identity("github", text, "github", "", nickname=text),)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("true", True), ("yes", True), ("On", True), ("'true'", True), ("false", False), ("no", False), ("off", False)],
)
def test_a_boolean_is_one_where_the_field_is(tmp_path, text, meant):
    [(entry, _)] = _load(tmp_path, f"users: [{{username: a, alternate_emails: [{{email: a@b.c, verified: {text}}}]}}]")
    assert entry.user.identities[0].email_verified is meant


@pytest.mark.parametrize("text", ["", "~"])
def test_a_field_without_a_value_is_as_if_it_were_not_there(tmp_path, text):
    fields = ("token", "password", "primary_email", "user_id", "user_metadata", "identities", "alternate_emails")
    [(entry, token)] = _load(tmp_path, "users:\n- username: ada\n" + "".join(f"  {f}: {text}\n" for f in fields))
    assert (entry.password, token, entry.user.user_id, entry.user.identities) == (None, "", "auth0|ada", ())


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffusers: [{username: ada, token: t}]",
        "users:\r\n- username: ada # c\r\n  token: t\r\n",
        "users: [{\tusername: ada,\ttoken: t\t}]\t# the end",
        "users:\n- username: ada\n  token: t\n# the end",
        "---\nusers:\n- username: ada\n  token: t\n...\n---\n",
        "who: &w {token: t}\nusers:\n- <<: *w\n  username: ada\n",
        "name: &n ada\nusers:\n- {username: *n, token: t}\n",
    ],
)
def test_files_as_people_write_them(tmp_path, text):
    [(entry, token)] = _load(tmp_path, text)
    assert (entry.user.username, token) == ("ada", "t")


BAD = {
    "a field twice": (
        "users:\n- username: a\n  token: x\n  token: y\n",
        "line 4: token: a key that stands in line 3 already",
    ),
    "users twice": ("users: [{username: a}]\nusers: []\n", "line 2: users: a key that stands in line 1 already"),
    "a key of metadata twice": (
        "users:\n- username: a\n  user_metadata: {city: x,\n    city: y}\n",
        "line 4: city: a key that stands in line 3 already",
    ),
    "a user twice": (
        "users:\n- username: a\n- token: x\n  username: a\n",
        "line 3: users, entry 2: username: the same as in entry 1",
    ),
    "a wrong field, with its line": (
        "users:\n- username: a\n  identities:\n  - provider: x\n    is_social: perhaps\n",
        "line 5: users, entry 1: identities.0.is_social: Input should be a valid boolean",
    ),
    "another document": ("users: []\n---\nusers: []\n", "no YAML, line 3: another document"),
    "UTF-16": ("users: []".encode("utf-16-be").decode(), "no YAML, line 1: a character that YAML does not allow"),
    "a bomb": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 60)),
        "no YAML, line 7: more than can be read",
    ),
    "depth": ("users: " + "[" * 100_000, "no YAML, line 1: deeper than can be read"),
    "length": ("#" * (4 * 1024 * 1024 + 1), "more than 4194304 bytes"),
    "not YAML": ("users: [", "no YAML, line 1"),
    "not YAML further down": ("users:\n  - username: ada\n  bad", "no YAML, line 3"),
    "a control character": ("users: \x07", "no YAML, line 1"),
    "no mapping": ("- ada", "users: must be a list"),
    "no users": ({"people": []}, "users: must be a list"),
    "users is a mapping": ({"users": {"ada": {}}}, "users: must be a list"),
    "an entry is text": ({"users": ["ada"]}, "users, entry 1: (the entry): Input should be"),
    "neither username nor user_id": (
        {"users": [{"token": "x"}]},
        "users, entry 1: username: one of username and user_id is required",
    ),
    "an unknown field": (
        {"users": [{"username": "a"}, {"username": "b", "mail": "x"}]},
        "users, entry 2: mail: Extra inputs",
    ),
    "a wrong type": ({"users": [{"username": ["a"]}]}, "users, entry 1: username: Input should be a valid string"),
    "metadata is a list": (
        {"users": [{"username": "a", "user_metadata": []}]},
        "users, entry 1: user_metadata: Input should be",
    ),
    "two subjects": (
        {"users": [{"user_id": "auth0|a", "sub": "auth0|b"}]},
        "users, entry 1: sub: differs from user_id",
    ),
    "a bad primary": (
        {"users": [{"username": "a", "primary_email": "a b"}]},
        "users, entry 1: primary_email: Value error, not an e-mail address",
    ),
    "a bad alternate": (
        {"users": [{"username": "a", "alternate_emails": [{"email": "a@b.c"}, {"email": "a b c"}]}]},
        "users, entry 1: alternate_emails.1.email: Value error, not an e-mail address",
    ),
    "an alternate without address": (
        {"users": [{"username": "a", "alternate_emails": [{"verified": True}]}]},
        "users, entry 1: alternate_emails.0.email: Field required",
    ),
    "a bad e-mail identity": (
        {"users": [{"username": "a", "identities": [{"provider": "email", "email": "x"}]}]},
        "users, entry 1: identities.0.email: Value error, not an e-mail address",
    ),
    "an identity without provider": (
        {"users": [{"username": "a", "identities": [{"identity_id": "1"}]}]},
        "users, entry 1: identities.0.provider: Field required",
    ),
    "a verified that is neither": (
        {"users": [{"username": "a", "alternate_emails": [{"email": "a@b.c", "verified": "perhaps"}]}]},
        "users, entry 1: alternate_emails.0.verified: Input should be a valid boolean",
    ),
    "one username twice": (
        {"users": [{"username": "a"}, {"username": "a", "user_id": "x|1"}]},
        "users, entry 2: username: the same as in entry 1",
    ),
    "one subject twice": (
        {"users": [{"username": "ab"}, {"user_id": "auth0|ab"}]},
        "users, entry 2: user_id: the same as in entry 1",
    ),
    "one token twice": (
        {"users": [{"username": "a", "token": "t"}, {"username": "b", "token": "t"}]},
        "users, entry 2: token: the same as in entry 1",
    ),
    "one primary twice": (
        {"users": [{"username": "a", "primary_email": "a@b.c"}, {"username": "b", "primary_email": "A@B.c"}]},
        "users, entry 2: primary_email: the same as in entry 1",
    ),
}


@pytest.mark.parametrize("title", BAD)
def test_a_bad_file_is_named_with_entry_and_field(tmp_path, title):
    content, problem = BAD[title]
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, content)
    assert str(caught.value).startswith(f"MOCK_USERS_FILE: {tmp_path / 'users.yaml'}: ")
    assert problem in str(caught.value)


def test_every_problem_is_named_and_no_value(tmp_path):
    bad = {"users": [{"username": "a", "token": ["hunter2"]}, {"username": "b", "primary_email": "hunter2"}, {}]}
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, bad)
    lines = str(caught.value).splitlines()
    assert [line.partition("users, ")[2].split(":")[0] for line in lines] == ["entry 1", "entry 2", "entry 3"]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff", "users: []".encode("utf-16")])
def test_a_file_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "users.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"users\.yaml: cannot be read: (FileNotFoundError|UnicodeDecodeError)"
    ):
        load_users(path)


def test_an_alternate_may_be_somebodys_primary(tmp_path):
    users = [
        {"username": "a", "alternate_emails": [{"email": "x@y.z", "verified": True}]},
        {"username": "b", "primary_email": "x@y.z"},
    ]
    assert len(_load(tmp_path, {"users": users})) == 2


async def test_the_provider_reads_the_file_of_the_settings(tmp_path):
    _load(tmp_path, {"users": [{"username": "zoe"}]})
    provider = mock_provider(Settings(NatsSettings(), MockSettings(users_file=tmp_path / "users.yaml")))
    assert (await provider.directory.by_subject("auth0|zoe")).username == "zoe"
    with pytest.raises(UserNotFound):
        await provider.directory.by_subject("auth0|ada")


async def test_a_store_of_codes_keeps_so_many_and_no_more():
    store = MemoryCodeStore(lambda: 0.0, max_addresses=2)
    for address in ("a@x.y", "b@x.y", "c@x.y"):
        await store.save_code(address, Code("digest", 1.0), None)
        await store.save_ledger(address, Ledger((1.0,)), None)
    assert [(await store.load_code(a))[0] is not None for a in ("a@x.y", "b@x.y", "c@x.y")] == [False, True, True]
    assert [(await store.load_ledger(a))[0].sends for a in ("a@x.y", "b@x.y", "c@x.y")] == [(), (1.0,), (1.0,)]


async def test_a_store_of_codes_refuses_what_was_changed_meanwhile():
    store = MemoryCodeStore(lambda: 0.0)
    await store.save_code("a@x.y", Code("digest", 1.0), None)
    await store.save_ledger("a@x.y", Ledger(), None)
    with pytest.raises(StaleRevision):
        await store.save_code("a@x.y", None, None)
    with pytest.raises(StaleRevision):
        await store.save_ledger("a@x.y", Ledger(), None)
