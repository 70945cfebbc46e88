# SPDX-License-Identifier: MIT
"""Schemas of wire models, as a reader of the document wants them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.json_schema import JsonSchemaMode

Schema = dict[str, Any]
MISSING: Final = "x-missing-error"
"""On a property or a text: the error for a request in which it is missing or empty."""
_TEMPLATE: Final = "#/components/schemas/{model}"


class Schemas:
    """The schemas of a set of models: those nested in others under names of their own, the outer ones whole."""

    def __init__(self, requests: Iterable[type[BaseModel]], replies: Iterable[type[BaseModel]]) -> None:
        """Take the models that come in and those that go out."""
        models: list[tuple[type[BaseModel], JsonSchemaMode]] = []
        models += [(model, "validation") for model in dict.fromkeys(requests)]
        models += [(model, "serialization") for model in dict.fromkeys(replies)]
        # pydantic sees all of them at once, so that two models of one name get two names.
        references, definitions = models_json_schema(models, ref_template=_TEMPLATE)
        self._all: dict[str, Schema] = {name: _plain(schema) for name, schema in definitions["$defs"].items()}
        for schema in self._all.values():
            self._require(schema)
        self._names = {model: _name(reference["$ref"]) for (model, _), reference in references.items()}

    @property
    def nested(self) -> dict[str, Schema]:
        """The models that others refer to, by name."""
        outer = set(self._names.values())
        return {name: schema for name, schema in sorted(self._all.items()) if name not in outer}

    def of(self, model: type[BaseModel]) -> Schema:
        """Return a copy of the schema of an outer model."""
        # A generic model with its parameters filled in has no documentation but what it inherits.
        described = {"title": model.__name__.partition("[")[0], "description": inspect.getdoc(model) or ""}
        return {**described, **self._all[self._names[model]]}

    def _require(self, schema: Schema) -> None:
        properties = schema.get("properties", {})
        required = [name for name, part in properties.items() if self._is_required(name, part, schema)]
        schema.pop("required", None)
        if required:
            schema["required"] = required

    def _is_required(self, name: str, part: Schema, schema: Schema) -> bool:
        if MISSING in part or "const" in part or name in schema.get("required", ()):
            return True
        reference = part["allOf"][0].get("$ref", "") if "allOf" in part else ""
        inner = self._all.get(_name(reference), {})
        return any(MISSING in field for field in inner.get("properties", {}).values())


def text(hint: Any) -> Schema:  # noqa: ANN401 - any annotation of a text
    """Return the schema of a text body from the annotation that describes it."""
    plain: Schema = _plain(TypeAdapter(hint).json_schema())
    return plain


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _plain(schema: Any, *, named: bool = False) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a part of a schema without titles, defaults and nulls; `named` when its keys are names of properties.

    Null stands for what is absent, both in requests and (never sent) in replies: a document that shows it as one more
    type, with a default beside it, hides what a caller has to send. A reference with neighbours is wrapped, because a
    reader of AsyncAPI 3 ignores what stands beside `$ref`.
    """
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if named:
        return {name: _plain(part) for name, part in schema.items()}
    kept = {key: value for key, value in schema.items() if key not in {"title", "default"}}
    kinds = [kind for kind in kept.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del kept["anyOf"]
        kept = {**kinds[0], **kept}
    plain = {key: _plain(value, named=key in {"properties", "$defs"}) for key, value in kept.items()}
    if "$ref" in plain and len(plain) > 1:
        return {"allOf": [{"$ref": plain.pop("$ref")}], **plain}
    return plain
