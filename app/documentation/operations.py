# SPDX-License-Identifier: MIT
"""The document's parts for one subject or event: messages, channels, operations, in AsyncAPI 3."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.bus.replies import Failure
from app.documentation import schemas as json_schemas
from app.domain.errors import Fault, Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from app.bus.subjects import Subject
    from app.documentation.schemas import Schema, Schemas
    from app.domain.errors import ServiceError

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
_MALFORMED: Final = "The body is not a JSON object, or a field of it has a wrong type."
_SERVERS: Final = [{"$ref": "#/servers/local"}]
_REPLY_ADDRESS: Final = {
    "location": "$message.header#/reply",
    "description": "The reply subject of the NATS request: an inbox that the client library makes for it.",
}


def failures(subject: Subject) -> list[dict[str, str]]:
    """Return every error of a subject in the order of the checks: its string, what it means, whose fault it is."""

    def told(errors: Iterable[type[ServiceError]]) -> list[dict[str, str]]:
        return [{"error": e.wire, "meaning": inspect.getdoc(e) or "", "fault": e.fault.value} for e in errors]

    malformed = {"error": subject.malformed or "", "meaning": _MALFORMED, "fault": Malformed.fault.value}
    return [*told(subject.unavailable), *([malformed] if subject.malformed else []), *told(subject.errors)]


def messages(subject: Subject, schemas: Schemas) -> dict[str, Any]:
    """Return the three messages of a subject: the request, the reply to a success and the one to a failure."""
    request = schemas.of(subject.request) if subject.request else json_schemas.text(subject.request_hint)
    reply = json_schemas.text(subject.reply_hint) if subject.reply is str else schemas.of(subject.reply)  # type: ignore[arg-type]
    errors = failures(subject)
    # The last thing that can go wrong with a request says more than that it was empty.
    told = [error["error"] for error in errors if error["fault"] in {Fault.CALLER, Fault.CONFLICT}][-1]
    failure = {"success": False, "error": told}
    return {
        "request": _message(subject.name, "Request", request, subject.example.send),
        "success": _message(subject.name, "Reply to a success", reply, subject.example.reply),
        "failure": _message(subject.name, "Reply to a failure", _failure(errors, schemas), failure),
    }


def channels(subject: Subject, address: str) -> dict[str, Any]:
    """Return the two channels of a subject: where requests go, and where the reply goes."""
    return {
        subject.name: {
            "address": address,
            "title": subject.name,
            "description": subject.summary,
            "servers": _SERVERS,
            "messages": {"request": _component(subject.name, "request")},
        },
        f"{subject.name}.reply": {
            "title": f"Reply of {subject.name}",
            "description": "The inbox of whoever sent the request.",
            "servers": _SERVERS,
            "messages": {role: _component(subject.name, role) for role in ("success", "failure")},
        },
    }


def operation(subject: Subject) -> dict[str, Any]:
    """Return the operation of a subject: receive a request, send exactly one reply."""
    reply = f"{subject.name}.reply"
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{subject.name}"},
        "title": subject.name,
        "summary": subject.summary,
        "description": subject.description or subject.summary,
        "tags": [{"name": subject.area}],
        "bindings": {"nats": {"queue": subject.queue, "bindingVersion": "0.1.0"}},
        "messages": [{"$ref": f"#/channels/{subject.name}/messages/request"}],
        "reply": {
            "address": _REPLY_ADDRESS,
            "channel": {"$ref": f"#/channels/{reply}"},
            "messages": [{"$ref": f"#/channels/{reply}/messages/{role}"} for role in ("success", "failure")],
        },
    }


@dataclass(frozen=True)
class Event:
    """What is published: a name, the NATS subject, in one line when, and the body."""

    name: str
    address: str
    summary: str
    model: type[BaseModel]


def event(event: Event, schemas: Schemas) -> dict[str, Any]:
    """Return message, channel and operation of an event, each under the name of its section of the document."""
    name, address, summary, model = event.name, event.address, event.summary, event.model
    payload = {**schemas.of(model), "description": summary}
    # Not the one in the schema, where pydantic puts keys in alphabetical order.
    extra: Any = model.model_config["json_schema_extra"]
    (example,) = extra["examples"]
    del payload["examples"]
    return {
        "messages": {f"{name}.event": _message(name, "Event", payload, example)},
        "channels": {
            name: {
                "address": address,
                "title": name,
                "description": summary,
                "servers": _SERVERS,
                "messages": {"event": _component(name, "event")},
            }
        },
        "operations": {
            name: {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "title": name,
                "summary": summary,
                "description": inspect.getdoc(model),
                "tags": [{"name": "Events"}],
                "messages": [{"$ref": f"#/channels/{name}/messages/event"}],
            }
        },
    }


def _message(name: str, title: str, payload: Schema, example: object) -> dict[str, Any]:
    return {
        "name": f"{name}.{title.rpartition(' ')[2].lower()}",
        "title": title,
        "summary": f"{title}, {name}",
        "contentType": TEXT if payload.get("type") == "string" else JSON,
        "payload": payload,
        "examples": [{"name": title.rpartition(" ")[2].lower(), "payload": example}],
    }


def _failure(errors: list[dict[str, str]], schemas: Schemas) -> Schema:
    schema = schemas.of(Failure)
    error = {**schema["properties"]["error"], "enum": [e["error"] for e in errors], "x-errors": errors}
    return {**schema, "properties": {**schema["properties"], "error": error}}


def _component(name: str, role: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}.{role}"}
