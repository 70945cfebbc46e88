# SPDX-License-Identifier: MIT
"""Composes nodes from libyaml's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from providers.yaml_files.nodes import Alias, BadYaml, Mapping, Node, Scalar, Sequence, TwiceTheSame

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

MAX_NODES: Final = 250_000
MAX_DEPTH: Final = 100
_MERGE: Final = "<<"

Contents = dict["Hashable", int]
"""A number for each content, so that two nodes can be compared, of one document or of two."""


class Composer:
    """Makes nodes of events. Raises BadYaml."""

    def __init__(self, events: Iterator[Any], contents: Contents) -> None:
        self._events = events
        self._contents = contents
        self._anchors: dict[str, Node | None] = {}
        self._size = 0

    def document(self, *, alone: bool) -> Node | None:
        """Return the first document."""
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), 1)
        if alone:
            self._nothing_more()
        return root

    def _nothing_more(self) -> None:
        marks = (yaml.DocumentStartEvent, yaml.DocumentEndEvent, yaml.StreamEndEvent)
        for event in self._events:
            empty = isinstance(event, yaml.ScalarEvent) and not event.value and event.implicit[0]
            if not isinstance(event, marks) and not empty:
                raise BadYaml("another document", event.start_mark.line + 1)

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401 - an event, of a library with half its types
        start = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._spend(1, depth, start.line)
        if event.anchor:
            self._anchors[event.anchor] = None
        place: dict[str, Any] = {
            "start": start.index,
            "line": start.line + 1,
            "column": start.column,
            "anchor": event.anchor or "",
            "tag": event.tag or "",
        }
        before = self._size
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            block = event.style in {"|", ">"}
            node = Scalar(value=event.value, plain=event.implicit[0], block=block, end=_end(event), **place)
            self._know(node, ("scalar", node.value, node.plain, node.tag))
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(bool(event.flow_style), depth, place)
        else:
            node = self._sequence(bool(event.flow_style), depth, place)
        node.size = self._size - before + 1
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, depth: int) -> Alias:  # noqa: ANN401 - as above
        line = event.start_mark.line
        if event.anchor not in self._anchors:
            raise BadYaml("an alias of an anchor that does not come before it", line + 1)
        target = self._anchors[event.anchor]
        if target is None:
            raise BadYaml("an anchor that contains itself", line + 1)
        self._spend(target.size, depth + target.height - 1, line)
        place = {"start": event.start_mark.index, "line": line + 1, "column": event.start_mark.column}
        alias = Alias(target=target, content=target.content, height=target.height, end=_end(event), **place)
        target.aliases.append(alias)
        return alias

    def _sequence(self, flow: bool, depth: int, place: dict[str, Any]) -> Sequence:  # noqa: FBT001 - of the event
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        node = Sequence(flow=flow, items=items, end=_end(event), **place)
        node.height = 1 + max((item.height for item in items), default=0)
        self._know(node, ("sequence", node.tag, tuple(item.content for item in items)))
        return node

    def _mapping(self, flow: bool, depth: int, place: dict[str, Any]) -> Mapping:  # noqa: FBT001 - as above
        pairs = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            pairs.append((key, self._node(next(self._events), depth + 1)))
        own, merged = _named(pairs)
        fields = {name: value.meant for name, value in own.items()}
        for source in merged:
            for name, value in source.fields.items():
                fields.setdefault(name, value)
        node = Mapping(flow=flow, pairs=pairs, own=own, fields=fields, end=_end(event), **place)
        node.height = 1 + max((inner.height for pair in pairs for inner in pair), default=0)
        known = frozenset((name, value.content) for name, value in fields.items())
        self._know(node, ("mapping", node.tag, known))
        return node

    def _know(self, node: Node, content: Hashable) -> None:
        node.content = self._contents.setdefault(content, len(self._contents))

    def _spend(self, size: int, depth: int, line: int) -> None:
        self._size += size
        if self._size > MAX_NODES:
            raise BadYaml("more than can be read, with all that its aliases stand for", line + 1)
        if depth > MAX_DEPTH:
            raise BadYaml("deeper than can be read, with all that its aliases stand for", line + 1)


def _named(pairs: list[tuple[Node, Node]]) -> tuple[dict[str, Node], list[Mapping]]:
    """Return what stands under a name, and what is merged, in the order of precedence."""
    own: dict[str, Node] = {}
    merged: list[Mapping] = []
    lines: dict[str, int] = {}
    for key, value in pairs:
        name = key.meant
        if not isinstance(name, Scalar):
            raise BadYaml("a key that is no text", key.line)
        if name.value in lines:
            raise TwiceTheSame(name.value, key.line, lines[name.value])
        lines[name.value] = key.line
        if name.plain and not name.tag and name.value == _MERGE:
            merged = _sources(value)
        else:
            own[name.value] = value
    return own, merged


def _end(event: Any) -> int:  # noqa: ANN401 - as above
    return int(event.end_mark.index)


def _sources(value: Node) -> list[Mapping]:
    """Return what a merge key names: https://yaml.org/type/merge.html."""
    meant = value.meant
    sources = [item.meant for item in meant.items] if isinstance(meant, Sequence) else [meant]
    mappings = [source for source in sources if isinstance(source, Mapping)]
    if len(mappings) != len(sources):
        raise BadYaml("a merge key that names no mapping", value.line)
    return mappings
