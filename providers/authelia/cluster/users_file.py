# SPDX-License-Identifier: MIT
"""Authelia's users file: what of it is read and changed. Everything else of it stays as it was.

Names and fields are read as Authelia does (`internal/authentication/file_user_provider_database.go`, with go-yaml):
of several documents the first, keys as the texts that they are. A name that stands twice is refused by Authelia, and
here: such a file is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain.addresses import parse_address
from app.domain.errors import InvalidEmail
from app.domain.users import Address
from providers import yaml_files
from providers.authelia.cluster.splicing import Splicer, Unfit
from providers.yaml_files.nodes import BadYaml, Mapping, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping as Map

    from providers.yaml_files.composer import Contents
    from providers.yaml_files.nodes import Node

_USERS: Final = "users"


class BadUsersFile(Exception):
    """The users file is not what it should be; it is left alone."""


@dataclass(frozen=True, slots=True)
class WantedUser:
    """What storage says of a user; an empty address says nothing."""

    email: str
    displayname: str


class UsersFile:
    """The file, of which only what has changed is written anew."""

    def __init__(self, text: str) -> None:
        """Take the file's text. Raises BadUsersFile."""
        self._text = text
        self._contents: Contents = {}
        self._root = self._read(text)
        self._users = _users(self._root)
        self._changes: dict[str, dict[str, str]] = {}
        self._added: dict[str, dict[str, str]] = {}

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return bool(self._changes or self._added)

    def usernames(self) -> list[str]:
        """Return who is in the file."""
        return list(self._users)

    def describe(self, username: str) -> tuple[Address | None, str]:
        """Return address and display name of an entry; None stands for a text that is no address."""
        entry = self._users[username]
        email, displayname = _text(entry, "email"), _text(entry, "displayname")
        try:
            return (parse_address(email, InvalidEmail) if email.strip() else Address("")), displayname
        except InvalidEmail:
            return None, displayname

    def reconcile(self, wanted: Map[str, WantedUser]) -> None:
        """Let storage win on the addresses of those who are in the file, and give everybody a display name."""
        for username in self._users:
            user = wanted.get(username)
            address, displayname = self.describe(username)
            says = {address, _text(self._users[username], "email")}
            if user is not None and user.email and user.email not in says:
                self._changes.setdefault(username, {})["email"] = user.email
            name = (user.displayname if user else "") or username
            # A name may be blank itself: it fills an empty field, and is no better than another blank one.
            if not displayname.strip() and name != displayname and (name.strip() or not displayname):
                self._changes.setdefault(username, {})["displayname"] = name

    def missing(self, wanted: Map[str, WantedUser]) -> dict[str, WantedUser]:
        """Return those of `wanted` who are not in the file."""
        return {username: user for username, user in wanted.items() if username not in self._users}

    def add(self, username: str, user: WantedUser, password_hash: str) -> None:
        """Add a user."""
        self._added[username] = {
            "displayname": user.displayname or username,
            "password": password_hash,
            "email": user.email,
        }

    def text(self) -> str:
        """Return the file as it shall be: the very text when nothing was changed. Raises BadUsersFile.

        It is refused where it could not be changed without changing something else.
        """
        if not self.changed:
            return self._text
        mark, text = yaml_files.without_mark(self._text)
        try:
            changed = mark + Splicer(text, self._root, self._users).text(self._changes, self._added)
        except Unfit as error:
            raise BadUsersFile(f"line {error.line}: laid out in a way in which it cannot be changed") from None
        if not self._says_what_it_shall(changed):
            raise BadUsersFile("laid out in a way in which it cannot be changed by itself")
        return changed

    def _read(self, text: str) -> Node | None:
        try:
            return yaml_files.read(text, self._contents)
        except BadYaml as error:
            raise BadUsersFile(f"no YAML: {error}") from None

    def _says_what_it_shall(self, text: str) -> bool:
        """Return whether users and fields that were to change say what they shall, and all else what it said."""
        try:
            root = self._read(text)
            users = _users(root)
        except BadUsersFile:
            return False
        if users.keys() != self._users.keys() | self._added.keys() or _others(root) != _others(self._root):
            return False
        for username, entry in users.items():
            new = self._added.get(username) or self._changes.get(username, {})
            before = self._users.get(username)
            if any(_text(entry, field) != value for field, value in new.items()):
                return False
            if before is not None and _contents(entry, new) != _contents(before, new):
                return False
        return True


def _users(root: Node | None) -> dict[str, Mapping]:
    """Return the entries by name, aliases and merge keys followed. Raises BadUsersFile."""
    if root is None or (isinstance(root, Scalar) and root.is_null):
        return {}
    if not isinstance(root, Mapping):
        raise BadUsersFile("users: must be a mapping of mappings")
    users = root.fields.get(_USERS)
    if users is None or (isinstance(users, Scalar) and users.is_null):
        return {}
    found = users.fields if isinstance(users, Mapping) else {"": users}
    entries = {name: entry for name, entry in found.items() if isinstance(entry, Mapping)}
    if len(entries) != len(found):
        line = next(entry.line for entry in found.values() if not isinstance(entry, Mapping))
        raise BadUsersFile(f"line {line}: users: must be a mapping of mappings")
    return entries


def _text(entry: Mapping, field: str) -> str:
    node = entry.fields.get(field)
    return node.value if isinstance(node, Scalar) and not node.is_null else ""


def _others(root: Node | None) -> dict[str, int]:
    return _contents(root, {_USERS}) if isinstance(root, Mapping) else {}


def _contents(mapping: Mapping, without: Map[str, str] | set[str]) -> dict[str, int]:
    return {name: node.content for name, node in mapping.fields.items() if name not in without}
