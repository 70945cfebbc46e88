# SPDX-License-Identifier: MIT
"""The fields of a schema, one row each, in the order in which they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field: its path from the outermost object, as `data[].provider`; its type, and where that is described."""

    path: str
    type: str
    link: str
    required: bool
    missing: str
    description: str
    examples: tuple[str, ...]

    @property
    def parents(self) -> str:
        """What of the path stands before the field's own name."""
        return self.path[: self.path.rfind(".") + 1]

    @property
    def name(self) -> str:
        """The field's own name."""
        return self.path.rpartition(".")[2]


def resolve(document: Schema, part: Schema) -> Schema:
    """Follow references until there is none."""
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def fields(document: Schema, schema: Schema, shared: frozenset[str], prefix: str = "") -> Iterator[Field]:
    """Give a row for every property, and after it the rows of what is nested in it; `shared` types are linked."""
    for name, part in schema.get("properties", {}).items():
        inner, link, many = _inner(document, part, shared)
        path = f"{prefix}{name}{'[]' if many else ''}"
        yield Field(
            path=path,
            type=_type(inner, link, many=many),
            link=link,
            required=name in schema.get("required", ()),
            missing=part.get("x-missing-error", ""),
            description=part.get("description") or inner.get("description", ""),
            examples=tuple(str(example) for example in part.get("examples", ())),
        )
        if not link:
            yield from fields(document, inner, shared, f"{path}.")


def reference(part: Schema) -> str:
    """Return the name of the schema that a part refers to, the empty string when it refers to none."""
    pointer: str = part.get("$ref") or (part["allOf"][0].get("$ref", "") if "allOf" in part else "")
    return pointer.rpartition("/")[2]


def _inner(document: Schema, part: Schema, shared: frozenset[str]) -> tuple[Schema, str, bool]:
    many = part.get("type") == "array"
    part = part["items"] if many else part
    name = reference(part)
    inner = document["components"]["schemas"][name] if name else part
    return inner, name if name in shared else "", many


def _type(inner: Schema, link: str, *, many: bool) -> str:
    kind = link or inner.get("type", "any")
    if "const" in inner:
        kind = str(inner["const"]).lower()
    return f"list of {kind}s" if many else kind
