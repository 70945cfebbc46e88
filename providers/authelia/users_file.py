# SPDX-License-Identifier: MIT
"""Authelia's users file: what of it is read and changed. Everything else of it stays as it was."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.util import load_yaml_guess_indent

from app.domain.addresses import parse_address
from app.domain.errors import InvalidEmail
from providers.authelia.splicing import Splicer, Unfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.users import Address

_NO_FOLDING: Final = 1_000_000


class BadUsersFile(Exception):
    """The users file is not what it should be; it is left alone."""


@dataclass(frozen=True, slots=True)
class WantedUser:
    """What storage says of a user; an empty address says nothing."""

    email: str
    displayname: str


class UsersFile:
    """The file, of which only what has changed is written anew; where its layout does not allow that, all of it.

    Even then comments, order, quotes and unknown fields stay.
    """

    def __init__(self, text: str) -> None:
        """Take the file's text. Raises BadUsersFile."""
        self._text = text
        self._yaml = YAML()
        self._yaml.preserve_quotes = True
        self._yaml.width = _NO_FOLDING
        try:
            _, indent, offset = load_yaml_guess_indent(text)
            self._content: Any = self._yaml.load(text)
        except (YAMLError, ValueError, RecursionError, AttributeError) as error:
            raise BadUsersFile(f"no YAML: {type(error).__name__}") from None
        self._yaml.indent(mapping=_mapping_indent(text), sequence=indent or 2, offset=offset or 0)
        if self._content is None:
            self._content = CommentedMap()
        users = self._content.get("users", ...) if isinstance(self._content, dict) else None
        if users is ... or (users is None and isinstance(self._content, dict)):
            self._content["users"] = users = CommentedMap()
        if not isinstance(users, dict) or not all(isinstance(entry, dict) for entry in users.values()):
            raise BadUsersFile("users: must be a mapping of mappings")
        self._users = users
        self._changed = False
        self._splicer: Splicer | None = Splicer(text)

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return self._changed

    def usernames(self) -> list[str]:
        """Return who is in the file."""
        return [name for name in self._users if isinstance(name, str)]

    def describe(self, username: str) -> tuple[Address | None, str]:
        """Return address and display name of an entry; None stands for what is no address."""
        entry = self._users[username]
        email, name = entry.get("email"), entry.get("displayname")
        try:
            address = parse_address(email, InvalidEmail) if isinstance(email, str) else None
        except InvalidEmail:
            address = None
        return address, name if isinstance(name, str) else ""

    def reconcile(self, wanted: Mapping[str, WantedUser]) -> None:
        """Let storage win on the addresses of those who are in the file, and give everybody a display name."""
        for username, entry in self._users.items():
            user = wanted.get(username)
            if user is not None and user.email and str(entry.get("email", "")).strip().lower() != user.email:
                self._set(username, entry, "email", user.email)
            if not str(entry.get("displayname") or "").strip():
                self._set(username, entry, "displayname", (user.displayname if user else "") or str(username))

    def add(self, username: str, user: WantedUser, password_hash: str) -> None:
        """Add a user."""
        fields = {
            "displayname": user.displayname or username,
            "password": password_hash,
            "email": user.email,
        }
        self._users[username] = CommentedMap(fields)
        if self._splicer is not None:
            self._splicer.add(username, fields)
        self._changed = True

    def text(self) -> str:
        """Return the file as it shall be: the very text when nothing was changed."""
        if not self._changed:
            return self._text
        return self._spliced() or self._dumped()

    def _set(self, username: str, entry: CommentedMap, field: str, value: str) -> None:
        if self._splicer is not None:
            try:
                self._splicer.set(username, field, value)
            except Unfit:
                self._splicer = None
        entry[field] = value
        self._changed = True

    def _spliced(self) -> str:
        """Return the text with the changes put in; empty when it does not say then what it shall."""
        if self._splicer is None:
            return ""
        try:
            text = self._splicer.text()
            return text if YAML().load(text) == self._content else ""
        except (Unfit, YAMLError, ValueError):
            return ""

    def _dumped(self) -> str:
        stream = io.StringIO()
        self._yaml.explicit_start = self._text.lstrip().startswith("---")
        self._yaml.dump(self._content, stream)
        return stream.getvalue()


def _mapping_indent(text: str) -> int:
    """Return by how much the first nested mapping is indented."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    return next((indent for indent in indents if indent), 2)
