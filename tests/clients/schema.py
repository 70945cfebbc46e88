# SPDX-License-Identifier: MIT
"""The types of `asyncapi.yaml` as one JSON Schema: a definition for each request, reply and event, and their parts."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
KINDS = {"request": "Request", "success": "Reply", "event": "Event"}
FAILURE = {
    "type": "object",
    "description": "What every failure is.",
    "properties": {
        "success": {"type": "boolean", "const": False, "description": "Always false."},
        "error": {"type": "string", "description": "One of the strings of the contract, or Auth0's own words."},
    },
    "required": ["success", "error"],
    "additionalProperties": False,
}


def definitions(document: Schema) -> Schema:
    """Return the schema. Names of messages become names of types: `user_emails.read.success`, UserEmailsReadReply."""
    components = document["components"]
    found = {name: _plain(schema) for name, schema in components["schemas"].items()}
    for name, message in components["messages"].items():
        subject, _, kind = name.rpartition(".")
        if kind in KINDS and message["payload"].get("type") == "object":
            found[title(subject) + KINDS[kind]] = _plain(message["payload"])
    return {"definitions": {**found, "Failure": FAILURE}}


def subjects(document: Schema) -> list[str]:
    """Return the subjects and the event, in the order of the document."""
    return [channel["address"] for channel in document["channels"].values() if channel.get("address")]


def errors(document: Schema) -> list[str]:
    """Return every error string of the contract, once; not the form of those that are somebody else's words."""
    failures = (m["payload"] for name, m in document["components"]["messages"].items() if name.endswith(".failure"))
    found = dict.fromkeys(error for failure in failures for error in failure["properties"]["error"]["enum"])
    return [error for error in found if not error.startswith("<")]


def title(subject: str) -> str:
    """Return the name of a subject as types have it: `user_emails.read`, UserEmailsRead."""
    return "".join(word.capitalize() for part in subject.split(".") for word in part.split("_"))


def _plain(schema: object) -> Any:
    """Return what a generator needs of a schema: references into `definitions`, no titles, no marks of ours."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema and len(schema["allOf"]) == 1:  # a reference with a description beside it
        return _plain(schema["allOf"][0])
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/definitions/")}
    found = {
        name: {key: _plain(value) for key, value in part.items()} if name == "properties" else _plain(part)
        for name, part in schema.items()
        if name not in {"title", "examples", "default", "format"} and not name.startswith("x-")
    }
    # What a later version adds is no part of a type: it is ignored by who reads it, and mistyped by who sends it.
    return {**found, "additionalProperties": False} if found.get("type") == "object" else found
