# SPDX-License-Identifier: MIT
"""Changes of a YAML text in the places that change alone: every other byte stays.

What is written where comes from the marks of the parsed nodes (YAML 1.2, section 3.1: the representation graph).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLAIN: Final = re.compile(r"[A-Za-z][\w.+-]*(?:@[\w.-]*\w)?(?: [A-Za-z][\w.+-]*)*", re.ASCII)
_SPECIAL: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_STEP: Final = 2


class Unfit(Exception):
    """The text is laid out in a way in which nothing can be put by itself."""


def scalar(value: str) -> str:
    """Return the text as a YAML scalar: plain where that cannot be misread, otherwise in double quotes."""
    if _PLAIN.fullmatch(value) and value.lower() not in _SPECIAL:
        return value
    return json.dumps(value, ensure_ascii=False)


class Splicer:
    """Gathers changes of the users in a users file, then makes them all."""

    def __init__(self, text: str) -> None:
        """Take a text that is a mapping, or nothing."""
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, str]] = []
        self._root = YAML(typ="safe", pure=True).compose(text)
        self._users = _value(self._root, "users")
        self._added: list[tuple[str, Mapping[str, str]]] = []

    def set(self, username: str, field: str, value: str) -> None:
        """Let a field of a user's entry say that; where there is none it comes first. Raises Unfit."""
        entry = _value(self._users, username)
        if not isinstance(entry, MappingNode):
            raise Unfit
        old = _value(entry, field)
        if isinstance(old, ScalarNode):
            start, end = old.start_mark.index, old.end_mark.index
            space = " " if start == end and self._text[start - 1 : start] == ":" else ""
            self._edits.append((start, end, space + scalar(value)))
        elif old is not None or not entry.value:
            raise Unfit
        else:
            first = entry.value[0][0].start_mark
            after = ", " if entry.flow_style else self._newline + " " * first.column
            self._edits.append((first.index, first.index, f"{field}: {scalar(value)}{after}"))

    def add(self, username: str, fields: Mapping[str, str]) -> None:
        """Add an entry at the end of the users."""
        self._added.append((username, fields))

    def text(self) -> str:
        """Return the text with every change made. Raises Unfit."""
        edits = [*self._edits, *([self._addition()] if self._added else [])]
        text = self._text
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _addition(self) -> tuple[int, int, str]:
        users = self._users
        if isinstance(users, MappingNode) and users.value and not users.flow_style:
            column = users.value[0][0].start_mark.column
            return self._after_line(_end(users), self._entries(column))
        if isinstance(users, MappingNode) and users.flow_style and users.value:
            place = _end(users.value[-1][1])
            pairs = (f"{scalar(name)}: {_flow(fields)}" for name, fields in self._added)
            return place, place, ", " + ", ".join(pairs)
        if users is not None and isinstance(self._root, MappingNode) and not self._root.flow_style:
            # `users: {}`, `users: ~` or nothing at all after the colon.
            entries = self._newline + self._entries(_STEP).removesuffix(self._newline)
            return users.start_mark.index, users.end_mark.index, entries
        raise Unfit

    def _after_line(self, place: int, lines: str) -> tuple[int, int, str]:
        """Put lines after the one that ends at, or goes on from, that place."""
        if self._text[:place].endswith("\n"):
            return place, place, lines
        end = self._text.find("\n", place)
        if end >= 0:
            return end + 1, end + 1, lines
        return len(self._text), len(self._text), self._newline + lines

    def _entries(self, column: int) -> str:
        lines = []
        for username, fields in self._added:
            lines.append(f"{' ' * column}{scalar(username)}:")
            lines += [f"{' ' * (column + _STEP)}{name}: {scalar(value)}" for name, value in fields.items()]
        return "".join(line + self._newline for line in lines)


def _value(node: Node | None, key: str) -> Any:  # noqa: ANN401 - a node, of a library without types for them
    pairs: Iterable[tuple[Node, Node]] = node.value if isinstance(node, MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _flow(fields: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {scalar(value)}" for name, value in fields.items()) + "}"


def _end(node: Node) -> int:
    """Return where the last thing in a node ends: a block's own end is where the next token begins."""
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
