# SPDX-License-Identifier: MIT
"""The nodes of a YAML text, and their places in it (YAML 1.2, section 3.1: the representation graph)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class BadYaml(Exception):
    """What is read is no such file; the text says why, and shows nothing of the file but names of fields."""

    def __init__(self, problem: str, line: int) -> None:
        """Take what is wrong, and in which line, counted from 1."""
        super().__init__(f"line {line}: {problem}")
        self.problem = problem
        self.line = line


class TwiceTheSame(BadYaml):
    """A key stands twice in one mapping."""

    def __init__(self, key: str, line: int, first: int) -> None:
        """Take the key, its line, and where it stood first."""
        super().__init__(f"a key that stands in line {first} already", line)
        self.key = key


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """Something that stands at `start` to `end` of the text (characters), its anchor and tag included."""

    start: int
    end: int
    line: int
    """Counted from 1."""
    column: int
    """Counted from 0."""
    anchor: str = ""
    tag: str = ""
    content: int = 0
    """The same for nodes of the same content, and for no others."""
    size: int = 1
    height: int = 1
    aliases: list[Alias] = field(default_factory=list)
    """Where else it is referred to, in the text's order."""

    @property
    def meant(self) -> Node:
        """The node itself; of an alias, what it stands for."""
        return self


@dataclass(slots=True, eq=False, kw_only=True)
class Scalar(Node):
    """A text."""

    value: str
    plain: bool
    block: bool
    """Whether it is written in lines below `|` or `>`."""

    @property
    def is_null(self) -> bool:
        """Whether YAML's core schema (section 10.3) takes this for no value at all."""
        return self.plain and not self.tag and self.value in NULLS


@dataclass(slots=True, eq=False, kw_only=True)
class Sequence(Node):
    """A list."""

    flow: bool
    items: list[Node]


@dataclass(slots=True, eq=False, kw_only=True)
class Mapping(Node):
    """Names and what they stand for."""

    flow: bool
    pairs: list[tuple[Node, Node]]
    """As they are written, merge keys included."""
    own: dict[str, Node]
    """What is written here, by name."""
    fields: dict[str, Node]
    """What there is by name, no aliases: own fields, then those that come by merge keys."""


@dataclass(slots=True, eq=False, kw_only=True)
class Alias(Node):
    """A reference to what stands elsewhere."""

    target: Node

    @property
    def meant(self) -> Node:
        """What it stands for."""
        return self.target
