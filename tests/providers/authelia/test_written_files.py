# SPDX-License-Identifier: MIT
"""Users files as people write them: what is meant is read, what changes is changed, every other byte stays."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from providers.authelia.cluster.users_file import BadUsersFile, UsersFile, WantedUser

GRACE = WantedUser("grace@example.org", "Grace")
HASH = "$2b$12$x/y"
BLOCK = '  grace:\n    displayname: Grace\n    password: "$2b$12$x/y"\n    email: grace@example.org\n'
FLOW = 'grace: {displayname: Grace, password: "$2b$12$x/y", email: grace@example.org}'
NEW = {"displayname": "Grace", "password": HASH, "email": "grace@example.org"}


def _with_grace(text):
    file = UsersFile(text)
    file.add("grace", GRACE, HASH)
    return file.text()


def _reconciled(text, **addresses):
    file = UsersFile(text)
    file.reconcile({name: WantedUser(address, "") for name, address in addresses.items()})
    return file.text()


def _read(text):
    """Every scalar is a text, as another library reads it."""
    return yaml.load(text, yaml.BaseLoader)


@pytest.mark.parametrize("email", ["admin", "a b@example.org", "x@", "''", "@", "é@@x", "1.10", "true"])
def test_what_storage_says_is_written_once_though_it_is_no_address(email):
    text = "users:\n  ada: {displayname: Ada, email: old@example.org}\n"
    once = _reconciled(text, ada=email)
    assert _read(once)["users"]["ada"]["email"] == email
    again = UsersFile(once)
    again.reconcile({"ada": WantedUser(email, "")})
    assert not again.changed


STRANGE = [
    "1001",
    "007",
    "0x1F",
    "1_000",
    "12:30:45",
    "1.10",
    "true",
    "null",
    "Null",
    "no",
    "2024-01-01",
    "~",
    "=",
    "1e5",
]


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_is_the_text_that_stands_there(name):
    file = UsersFile(f"users:\n  {name}: {{displayname: {name}x, email: X@example.org}}\n")
    assert file.usernames() == [name]
    assert file.describe(name) == ("x@example.org", f"{name}x")


@pytest.mark.parametrize("name", ["1001", "007", "1.10", "true", "42", "2024-01-01", "12:30:45"])
def test_a_display_name_is_the_text_that_stands_there(name):
    text = f"users:\n  ada: {{displayname: {name}, email: ada@example.org}}\n"
    assert UsersFile(text).describe("ada") == ("ada@example.org", name)
    assert _reconciled(text, ada="ada@example.org") == text


@pytest.mark.parametrize("name", ["null", "~", "", "Null", "''", "' '"])
def test_where_authelia_finds_no_display_name_there_comes_one(name):
    text = f"users:\n  ada: {{displayname: {name}, email: ada@example.org}}\n"
    assert _read(_reconciled(text))["users"]["ada"] == {"displayname": "ada", "email": "ada@example.org"}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_written_so_that_it_is_that_name(name):
    file = UsersFile("users:\n  ada: {displayname: Ada}\n")
    file.add(name, WantedUser("x@example.org", name), HASH)
    assert list(_read(file.text())["users"]) == ["ada", name]
    again = UsersFile(file.text())
    assert (again.usernames(), again.describe(name)) == (["ada", name], ("x@example.org", name))


TWICE = [
    ('users:\n  1001: {displayname: A}\n  "1001": {displayname: B}\n', 3, 2),
    ("users:\n  ada: {displayname: A}\n  bob: {displayname: B}\n  'ada': {displayname: A}\n", 4, 2),
    ("users:\n  ada:\n    displayname: A\n    displayname: A\n", 4, 3),
    ("users: {}\nother: 1\nusers: {}\n", 3, 1),
]


@pytest.mark.parametrize(("text", "line", "first"), TWICE)
def test_what_stands_twice_is_said_with_both_lines_and_no_name(text, line, first):
    with pytest.raises(BadUsersFile) as caught:
        UsersFile(text)
    assert str(caught.value) == f"no YAML: line {line}: a key that stands in line {first} already"


FIRST = "users:\n  ada:\n    displayname: Ada\n    email: old@example.org\n"
BEHIND = [
    "---\n",
    "...\n",
    "---\nusers:\n  ada: {displayname: Other}\n  ada: {displayname: Twice}\n",
    "--- # nothing\n",
    "...\n# the end",
    "---\n: [ {{ no YAML at all \x07".replace("\x07", ""),
]


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("before", ["", "---\n", "# users\n---\n", "%YAML 1.1\n---\n", "\ufeff", "\ufeff---\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_of_several_documents_the_first_is_changed_and_no_other_byte(before, behind, newline):
    text = (before + FIRST + behind).replace("\n", newline)
    changed = text.replace("old@", "new@", 1)
    assert _reconciled(text, ada="new@example.org") == changed
    assert _with_grace(text) == (before + FIRST + BLOCK + behind).replace("\n", newline)


def test_an_empty_first_document_is_the_one_that_gets_users():
    assert _with_grace("---\n---\nother: 1\n") == f"---\nusers:\n{BLOCK}---\nother: 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("users:\n  ada: {displayname: A}", f"users:\n  ada: {{displayname: A}}\n{BLOCK}"),
        ("users:\n  ada: {displayname: A} # c", f"users:\n  ada: {{displayname: A}} # c\n{BLOCK}"),
        ("users:\n  ada: {displayname: A}\n# c", f"users:\n  ada: {{displayname: A}}\n{BLOCK}# c"),
        ("users:\n  ada: {displayname: A}\n  # c", f"users:\n  ada: {{displayname: A}}\n{BLOCK}  # c"),
        ("{\tusers:\t{\tada:\t{\ta:\tA\t}\t}\t}", f"{{\tusers:\t{{\tada:\t{{\ta:\tA\t}}, {FLOW}\t}}\t}}"),
        ('{"users": {"ada": {"displayname": "A"}}}', f'{{"users": {{"ada": {{"displayname": "A"}}, {FLOW}}}}}'),
        ("users: {ada: {displayname: A},}\n", f"users: {{ada: {{displayname: A}}, {FLOW},}}\n"),
        ("{}", f"{{users: {{{FLOW}}}}}"),
        ("{a: 1}", f"{{a: 1, users: {{{FLOW}}}}}"),
        ("{users: }", f"{{users:  {{{FLOW}}}}}"),
        ("{users: {}, a: 1}", f"{{users:  {{{FLOW}}}, a: 1}}"),
        ("--- ~\n", f"--- {{users: {{{FLOW}}}}}\n"),
        ("---", f"---\nusers:\n{BLOCK}"),
        ("", f"users:\n{BLOCK}"),
        ("# c", f"# c\nusers:\n{BLOCK}"),
        ("a: 1\n", f"a: 1\nusers:\n{BLOCK}"),
        ("users: # c\n", f"users:\n{BLOCK.rstrip()} # c\n"),
        ("users: {} # c\na: 1\n", f"users: \n{BLOCK.rstrip()} # c\na: 1\n"),
        ("users:\n  ? ada\n  : displayname: A\n", f"users:\n  ? ada\n  : displayname: A\n{BLOCK}"),
        ("users:\n  ada:\n    x: |\n      y", f"users:\n{BLOCK}  ada:\n    x: |\n      y"),
        ("x: &u {ada: {a: A}}\nusers: *u\n", f"x: &u {{ada: {{a: A}}}}\nusers: {{<<: *u, {FLOW}}}\n"),
    ],
)  # fmt: skip
def test_where_a_new_user_goes(before, after):
    assert _with_grace(before) == after
    assert UsersFile(after).describe("grace") == ("grace@example.org", "Grace")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # The anchor moves to who still needs it.
        ("ada: {D: A, M: &e OLD}\n  bob: {D: B, M: *e}", "ada: {D: A, M: NEW}\n  bob: {D: B, M: &e OLD}"),
        ("bob: {D: B, M: &e OLD}\n  ada: {D: A, M: *e}", "bob: {D: B, M: &e OLD}\n  ada: {D: A, M: NEW}"),
        (
            "ada: {D: A, M: &e OLD}\n  bob: {D: B, M: *e}\n  c: {D: C, M: *e}",
            "ada: {D: A, M: NEW}\n  bob: {D: B, M: &e OLD}\n  c: {D: C, M: *e}",
        ),
        # Whole entries.
        ("bob: &b {D: B, M: OLD}\n  ada: *b", "bob: &b {D: B, M: OLD}\n  ada: {<<: *b, M: NEW}"),
        ("ada: &a {D: A, M: OLD}\n  bob: *a", "ada: &a {D: A, M: NEW}\n  bob: {<<: *a, M: OLD}"),
        (
            "ada: &a\n    D: A\n    M: 'OLD'\n  bob:\n    <<: *a\n    D: B",
            "ada: &a\n    D: A\n    M: NEW\n  bob:\n    M: 'OLD'\n    <<: *a\n    D: B",
        ),
        # Defaults.
        (
            "x: &x {D: X, M: OLD}\n  ada:\n    <<: *x\n    D: A",
            "x: &x {D: X, M: OLD}\n  ada:\n    M: NEW\n    <<: *x\n    D: A",
        ),
        ("<<: {ada: &a {D: A, M: OLD}}", "<<: {ada: &a {D: A, M: OLD}}\n  ada: {<<: *a, M: NEW}"),
        # Layouts.
        ("? ada\n  : M: OLD\n    D: A", "? ada\n  : M: NEW\n    D: A"),
        ("ada:\n    ? D\n    : A", "ada:\n    M: NEW\n    ? D\n    : A"),
        ("ada: {}", "ada: {M: NEW, D: ada}"),
        ("ada:\n    D: A\n    M: |\n      OLD\n\n  bob: {D: B}", "ada:\n    D: A\n    M: NEW\n\n  bob: {D: B}"),
        ("ada:\n    D: A\n    M:\n      - OLD", "ada:\n    D: A\n    M:\n      NEW"),
        ("ada:\n    D: A\n    M: # none", "ada:\n    D: A\n    M: NEW # none"),
        ("ada: {D: A, M: }", "ada: {D: A, M: NEW}"),
        ("ada: {D: A, M: [OLD], x: y}", "ada: {D: A, M: NEW, x: y}"),
        ("ada: !!map {D: A, M: !!str x}", "ada: !!map {D: A, M: NEW}"),
    ],
)
def test_where_a_new_address_goes(before, after):
    words = {"D:": "displayname:", "? D": "? displayname", "M:": "email:", "OLD": "o@p.q", "NEW": "new@example.org"}
    for short, long in words.items():
        before, after = before.replace(short, long), after.replace(short, long)
    assert _reconciled(f"users:\n  {before}\n", ada="new@example.org") == f"users:\n  {after}\n"


@pytest.mark.parametrize(
    "text",
    [
        # What refers to it is none of the users.
        "users:\n  ada: &a {displayname: A, email: o@p.q}\nkept: *a\n",
        "users: &u\n  ada: {displayname: A, email: o@p.q}\nkept: *u\n",
        "users:\n  <<: {ada: {displayname: A, email: o@p.q}}\n",
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text):
    with pytest.raises(BadUsersFile, match="laid out in a way in which it cannot be changed"):
        _reconciled(text, ada="new@example.org")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("users:\n  ada:\n", "line 2: users: must be a mapping of mappings"),
        ("users:\n  ada: {}\n  bob: x\n", "line 3: users: must be a mapping of mappings"),
        ("users: [ada]\n", "line 1: users: must be a mapping of mappings"),
        ("a: b\n\tc: d\n", "no YAML: line 2: found a tab character that violates indentation"),
        ("users: {ada: {email: \x00}}", "no YAML: line 1: a character that YAML does not allow"),
        ("users: {ada: {email: \ud800}}", "no YAML: line 1: a character that YAML does not allow"),
        ("users: &u {ada: *u}\n", "no YAML: line 1: an anchor that contains itself"),
        ("users: " + "[" * 1_000_000, "no YAML: line 1: deeper than can be read, with all that its aliases stand for"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, problem):
    with pytest.raises(BadUsersFile) as caught:
        UsersFile(text)
    assert str(caught.value) == problem


@given(st.text(max_size=20))
def test_any_text_that_can_be_written_is(name):
    file = UsersFile("users:\n  ada: {displayname: A}\n")
    file.add("grace", WantedUser("grace@example.org", name), HASH)
    said = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if name else "grace"
    assert UsersFile(file.text()).describe("grace")[1] == said


SCALARS = ["a", "007", "'x'", '"y"', "old@example.org", "~", "", "|\n      z", ">-\n      z\n"]
ENTRIES = st.fixed_dictionaries(
    {"displayname": st.sampled_from(SCALARS)},
    optional={
        "email": st.sampled_from([*SCALARS, "[d, e]", "{f: g}"]),
        "extra": st.sampled_from([*SCALARS, "{b: c}", "[d, e]"]),
        "007": st.sampled_from(SCALARS),
    },
)
FILES = st.dictionaries(st.sampled_from(["ada", "bob", "1001", "true", "x y"]), ENTRIES, min_size=1)


@given(FILES, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "# end", "---\nx: [", "later: 1\n"]))
def test_a_change_changes_what_it_names_and_nothing_else(users, newline, end):
    text = "users:\n" + "".join(
        f"  {name}:\n" + "".join(f"    {field}: {value}\n" for field, value in entry.items())
        for name, entry in users.items()
    )
    text = (text + end).replace("\n", newline)
    changed = _reconciled(text, ada="new@example.org")
    expected, found = (_read(each.partition("---")[0]) for each in (text, changed))
    for name, entry in expected["users"].items():
        if name == "ada":
            entry["email"] = "new@example.org"
        if entry["displayname"] in {"", "~"}:
            entry["displayname"] = name
    assert found == expected
    assert changed.endswith(end.replace("\n", newline))
