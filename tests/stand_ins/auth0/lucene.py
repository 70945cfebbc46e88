# SPDX-License-Identifier: MIT
"""User search: Lucene's query syntax as the tenant documents it, parsed and matched for real.

A careless query is therefore as dangerous here as it is there: an unescaped quote ends the phrase, and what
follows is read as operators, fields and wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
CASELESS = frozenset({"email", "name", "given_name", "family_name", "nickname"})
DEFAULT_FIELDS = ("email", "name", "nickname", "username", "user_id")

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>AND\b|OR\b|NOT\b|&&|\|\||!)
      | (?P<paren>[()])
      | (?P<sign>[+-])(?=\S)
      | (?P<range>[\[{][^\]}]*[\]}])
      | (?P<phrase>"(?:[^"\\]|\\.)*")
      | (?P<field>(?:[^\s:"()\\\[\]{}]|\\.)+):
      | (?P<term>(?:[^\s:"()\\\[\]{}]|\\.)+)
    )""",
    re.VERBOSE | re.DOTALL,
)


class QueryError(ValueError):
    """The query does not parse."""


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    matches: Callable[[Document], bool]
    exact: tuple[str, str] | None = None
    """Field and value when the whole query is one exact comparison, which an index can answer."""


def parse(text: str) -> Query:
    """Parse a query; QueryError when it is none."""
    parser = _Parser(list(_tokens(text)))
    query = parser.disjunction()
    if parser.peek() is not None:
        raise QueryError("unbalanced parenthesis")
    return query


def values(document: object, path: str) -> Iterator[str]:
    """Give the texts at a dotted path; arrays are stepped through."""
    if isinstance(document, list):
        for item in document:
            yield from values(item, path)
    elif path and isinstance(document, dict):
        head, _, rest = path.partition(".")
        if head in document:
            yield from values(document[head], rest)
    elif not path and document is not None and not isinstance(document, dict):
        yield str(document).lower() if isinstance(document, bool) else str(document)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.strip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise QueryError(f"cannot parse at {position}")
        position = match.end()
        kind = match.lastgroup or ""
        yield kind, match[kind]
    if not text:
        raise QueryError("empty")


class _Parser:
    """Recursive descent: NOT binds before AND, AND before OR; terms side by side are alternatives."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def disjunction(self) -> Query:
        parts = [self._conjunction()]
        while (token := self.peek()) is not None and token != ("paren", ")"):
            if token in {("operator", "OR"), ("operator", "||")}:
                self._at += 1
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else Query(lambda document: any(part.matches(document) for part in parts))

    def _conjunction(self) -> Query:
        parts = [self._factor()]
        while self.peek() in {("operator", "AND"), ("operator", "&&")}:
            self._at += 1
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else Query(lambda document: all(part.matches(document) for part in parts))

    def _factor(self, field: str = "") -> Query:
        token = self.peek()
        if token is None:
            raise QueryError("something is missing at the end")
        kind, text = token
        self._at += 1
        if token in {("operator", "NOT"), ("operator", "!"), ("sign", "-")}:
            negated = self._factor(field)
            return Query(lambda document: not negated.matches(document))
        if token == ("sign", "+"):
            return self._factor(field)
        if token == ("paren", "("):
            return self._group()
        if kind == "field" and not field:
            return self._factor(_unescaped(text))
        if kind in {"phrase", "term", "range"}:
            return _comparison(field, kind, text)
        raise QueryError(f"unexpected {text!r}")

    def _group(self) -> Query:
        inner = self.disjunction()
        if self.peek() != ("paren", ")"):
            raise QueryError("a parenthesis is not closed")
        self._at += 1
        return Query(inner.matches)


def _comparison(field: str, kind: str, text: str) -> Query:
    if kind == "phrase":
        value = _unescaped(text[1:-1])
        return _equals(field, value)
    if kind == "range":
        return _within(field, text)
    if field == "_exists_":
        return Query(lambda document: any(True for _ in values(document, text)))
    if re.search(r"(?<!\\)(?:\\\\)*[*?]", text):
        return _like(field, text)
    return _equals(field, _unescaped(text))


def _equals(field: str, value: str) -> Query:
    folded = value.lower()

    def equal(document: Document) -> bool:
        return any(
            found == value or (name in CASELESS and found.lower() == folded)
            for name in _names(field)
            for found in values(document, name)
        )

    return Query(equal, (field, value) if field and field not in CASELESS else None)


def _like(field: str, text: str) -> Query:
    parts = re.findall(r"\\.|.", text, re.DOTALL)
    pattern = "".join({"*": ".*", "?": "."}.get(part, re.escape(part.removeprefix("\\") or part)) for part in parts)
    compiled = re.compile(pattern, re.DOTALL | re.IGNORECASE)
    return Query(
        lambda document: any(compiled.fullmatch(found) for name in _names(field) for found in values(document, name))
    )


def _within(field: str, text: str) -> Query:
    low, _, high = text[1:-1].partition(" TO ")
    low, high = low.strip(' "'), high.strip(' "')
    return Query(
        lambda document: any(
            (low in {"*", ""} or found >= low) and (high in {"*", ""} or found <= high)
            for found in values(document, field)
        )
    )


def _names(field: str) -> tuple[str, ...]:
    return (field,) if field else DEFAULT_FIELDS


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
