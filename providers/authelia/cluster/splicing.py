# SPDX-License-Identifier: MIT
"""Changes only the places of a users file that differ: every other byte stays.

What is written where comes from the places of the nodes that were read (`yaml_files`). What several users share by
an anchor stays theirs: who refers to it says the difference beside it, under a merge key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from providers.yaml_files.nodes import Alias, Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Map

_PLAIN: Final = re.compile(r"[A-Za-z][\w.+-]*(?:@[\w.-]*\w)?(?: [A-Za-z][\w.+-]*)*", re.ASCII)
_SPECIAL: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_UNPRINTABLE: Final = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")
_COMPLEX: Final = re.compile(r"(?:^|[\s{,])(\?[ \t]+)$")
"""The indicator of a key that is written with one."""
_FAR: Final = 80
_STEP: Final = 2

Fields = dict[str, str]


class Unfit(Exception):
    """The text is laid out in a way in which nothing can be put by itself; `line` says where."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def scalar(value: str) -> str:
    """Return the text as a YAML scalar: plain where that cannot be misread, otherwise in double quotes."""
    if _PLAIN.fullmatch(value) and value.lower() not in _SPECIAL:
        return value
    return _UNPRINTABLE.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    character = ord(found[0])
    # Half of a surrogate pair is no character, and YAML has no way to write it.
    return "\\ufffd" if 0xD800 <= character <= 0xDFFF else f"\\u{character:04x}"  # noqa: PLR2004


class Splicer:
    """Puts changes into a users file, once."""

    def __init__(self, text: str, root: Node | None, users: Map[str, Mapping]) -> None:
        """Take the text without its byte order mark, what was read of it, and the entries by name."""
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._root = root
        self._place = root.own.get("users") if isinstance(root, Mapping) else None
        self._users = users
        self._own = self._place.own if isinstance(self._place, Mapping) else {}
        self._edits: list[tuple[int, int, str]] = []
        self._replaced: set[Node] = set()

    def text(self, changes: Map[str, Fields], added: Map[str, Fields]) -> str:
        """Return the text with these fields of users changed and those users added. Raises Unfit."""
        new = {name: _flow(fields) for name, fields in added.items()}
        for username, fields in self._with_who_shares(changes).items():
            if username in self._own:
                self._change(self._own[username], fields)
            else:
                new[username] = _over(self._users[username], fields)
        self._keep_anchors()
        if new:
            self._edits.append(self._addition(new, added))
        pieces, done = [], 0
        for start, end, put in sorted(self._edits):
            pieces += [self._text[done:start], put]
            done = end
        return "".join([*pieces, self._text[done:]])

    def _with_who_shares(self, changes: Map[str, Fields]) -> dict[str, Fields]:
        """Return the changes as YAML; with them, for whoever shares a field that changes, what it says today."""
        found = {name: {field: scalar(value) for field, value in fields.items()} for name, fields in changes.items()}
        for username in changes:
            entry = self._own.get(username)
            if not isinstance(entry, Mapping) or not entry.aliases:
                continue
            for other, theirs in self._users.items():
                for field in changes[username]:
                    value = entry.fields.get(field)
                    shared = other != username and (theirs is entry or field not in theirs.own)
                    if shared and isinstance(value, Scalar) and theirs.fields.get(field) is value:
                        found.setdefault(other, {}).setdefault(field, self._bare(value))
        return found

    def _change(self, place: Node, fields: Fields) -> None:
        """Let an entry say that; a field that it has not got comes first."""
        if isinstance(place, Alias):
            self._edits.append((place.start, place.end, _over(place.target, fields)))
            return
        if not isinstance(place, Mapping):
            raise Unfit(place.line)
        absent = [f"{field}: {value}" for field, value in fields.items() if field not in place.own]
        for field in fields.keys() & place.own.keys():
            self._replace(place.own[field], fields[field])
        if absent and place.pairs:
            start, column = self._first(place)
            after = ", " if place.flow else self._newline + " " * column
            self._edits.append((start, start, "".join(pair + after for pair in absent)))
        elif absent:
            self._edits.append((place.end - 1, place.end - 1, ", ".join(absent)))

    def _replace(self, node: Node, value: str) -> None:
        start, end = node.start, _last(node).end
        while end > start and self._text[end - 1].isspace():
            end -= 1
        space = " " if start == end and self._text[start - 1 : start] == ":" else ""
        self._edits.append((start, end, space + value))
        self._replaced.add(node)

    def _keep_anchors(self) -> None:
        """Move what was replaced, with its anchor, to the first alias of it that stays."""
        for node in self._replaced:
            alias = next((alias for alias in node.aliases if alias not in self._replaced), None)
            if alias is not None:
                self._edits.append((alias.start, alias.end, self._text[node.start : node.end]))

    def _addition(self, new: Fields, added: Map[str, Fields]) -> tuple[int, int, str]:
        """Return where entries are put, and what is put there."""
        place, root = self._place, self._root
        pairs = ", ".join(f"{scalar(name)}: {entry}" for name, entry in new.items())
        if isinstance(place, Alias):
            return place.start, place.end, f"{{<<: *{place.target.anchor}, {pairs}}}"
        if isinstance(place, Mapping) and place.pairs:
            return self._beside(place, pairs, lambda column: self._lines(new, added, column))
        if place is not None and isinstance(root, Mapping):
            if root.flow:
                return place.start, place.end, f" {{{pairs}}}"
            column = self._first(root)[1] + _STEP
            return place.start, place.end, self._newline + self._lines(new, added, column).removesuffix(self._newline)
        return self._first_users(root, new, added, f"users: {{{pairs}}}")

    def _first_users(self, root: Node | None, new: Fields, added: Map[str, Fields], pair: str) -> tuple[int, int, str]:
        """Return where `users` is put in a text that has none."""
        if isinstance(root, Mapping):
            return self._beside(root, pair, lambda column: self._users_lines(new, added, column))
        if root is not None and root.start < root.end:
            return root.start, root.end, f"{{{pair}}}"
        return self._after_line(root.start if root else len(self._text), self._users_lines(new, added, 0))

    def _beside(self, mapping: Mapping, pairs: str, lines: Callable[[int], str]) -> tuple[int, int, str]:
        """Put further pairs into a mapping: of a block these are lines, that begin at a column."""
        if mapping.flow and not mapping.pairs:
            return mapping.end - 1, mapping.end - 1, pairs
        last = _last(mapping.pairs[-1][1])
        if mapping.flow:
            return last.end, last.end, f", {pairs}"
        start, column = self._first(mapping)
        if isinstance(last, Scalar) and last.block and not self._text[: last.end].endswith("\n"):
            # A line end after it would be a part of it.
            return start, start, lines(column).lstrip(" ") + " " * column
        return self._after_line(last.end, lines(column))

    def _after_line(self, place: int, lines: str) -> tuple[int, int, str]:
        """Put lines after the one that ends at, or goes on from, that place."""
        if self._text[:place].endswith("\n") or not self._text:
            return place, place, lines
        end = self._text.find("\n", place)
        if end >= 0:
            return end + 1, end + 1, lines
        return len(self._text), len(self._text), self._newline + lines

    def _users_lines(self, new: Fields, added: Map[str, Fields], column: int) -> str:
        return f"{' ' * column}users:{self._newline}{self._lines(new, added, column + _STEP)}"

    def _lines(self, new: Fields, added: Map[str, Fields], column: int) -> str:
        lines = []
        for name, entry in new.items():
            head = f"{' ' * column}{scalar(name)}:"
            fields = added.get(name)
            lines.append(head if fields else f"{head} {entry}")
            lines += [f"{' ' * (column + _STEP)}{field}: {scalar(value)}" for field, value in (fields or {}).items()]
        return "".join(line + self._newline for line in lines)

    def _first(self, mapping: Mapping) -> tuple[int, int]:
        """Return where the first pair begins, and its column."""
        key = mapping.pairs[0][0]
        mark = _COMPLEX.search(self._text[max(0, key.start - _FAR) : key.start])
        before = len(mark[1]) if mark else 0
        return key.start - before, key.column - before

    def _bare(self, node: Scalar) -> str:
        """Return the source of a text, without its anchor."""
        return self._text[node.start : node.end].removeprefix(f"&{node.anchor}").strip()


def _over(entry: Node, fields: Fields) -> str:
    """Return an entry that says what another does but for these fields. Raises Unfit."""
    if not entry.anchor:
        raise Unfit(entry.line)
    return f"{{<<: *{entry.anchor}, " + ", ".join(f"{name}: {value}" for name, value in fields.items()) + "}"


def _flow(fields: Fields) -> str:
    return "{" + ", ".join(f"{name}: {scalar(value)}" for name, value in fields.items()) + "}"


def _last(node: Node) -> Node:
    """Return the last thing in a node: a block's own end is where the next token begins."""
    if isinstance(node, Mapping) and node.pairs and not node.flow:
        return _last(node.pairs[-1][1])
    if isinstance(node, Sequence) and node.items and not node.flow:
        return _last(node.items[-1])
    return node
