# SPDX-License-Identifier: MIT
"""The content of the page, taken from the document: areas, subjects, fields, errors, examples."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.documentation.page.fields import Field, fields, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]
_TYPE_OF_ITS_OWN: Final = 5
"""From how many fields on a schema that several subjects use is described once, in a section of its own."""


@dataclass(frozen=True)
class Failure:
    """An error: its string, what it means, and whose fault it is."""

    error: str
    meaning: str
    fault: str


@dataclass(frozen=True)
class Body:
    """What goes over the wire in one direction: `example` is its text as sent, `shown` as people read it."""

    is_text: bool
    description: str
    fields: tuple[Field, ...]
    missing: str
    example: str
    shown: str


@dataclass(frozen=True)
class Entry:
    """A subject, or an event: then it has neither reply nor failures."""

    name: str
    address: str
    summary: str
    description: str
    request: Body
    reply: Body | None
    failure: Body | None
    failures: tuple[Failure, ...]
    command: str

    @property
    def prefix(self) -> str:
        """What of the address stands before the name."""
        return self.address.removesuffix(self.name)


@dataclass(frozen=True)
class Area:
    """The subjects that belong together."""

    anchor: str
    name: str
    description: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Type:
    """A schema that several subjects use."""

    name: str
    description: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Page:
    """All of the page. `overview` holds title and Markdown of each section, the first without a title."""

    title: str
    version: str
    overview: tuple[tuple[str, str], ...]
    areas: tuple[Area, ...]
    types: tuple[Type, ...]
    common: tuple[Failure, ...]


def page(document: Document) -> Page:
    """Return what the page shows of an AsyncAPI 3 document."""
    operations = document["operations"]
    shared = _shared(document)
    entries = {name: _entry(document, name, operations[name], shared) for name in operations}
    counts = Counter(failure for entry in entries.values() for failure in entry.failures)
    subjects = sum(operation["action"] == "receive" for operation in operations.values())
    schemas = document["components"]["schemas"]
    return Page(
        title=document["info"]["title"],
        version=document["info"]["version"],
        overview=tuple(_sections(document["info"]["description"])),
        areas=tuple(
            Area(
                anchor="area-" + "".join(c if c.isalnum() else "-" for c in tag["name"].lower()),
                name=tag["name"],
                description=tag["description"],
                entries=tuple(entries[n] for n, o in operations.items() if o["tags"][0]["name"] == tag["name"]),
            )
            for tag in document["info"]["tags"]
        ),
        types=tuple(
            Type(name, schemas[name]["description"], tuple(fields(document, schemas[name], frozenset())))
            for name in sorted(shared)
        ),
        common=tuple(failure for failure, count in counts.items() if count == subjects),
    )


def command(address: str, body: str) -> str:
    """Return the shell command that sends a request: both words in single quotes, so that nothing is expanded."""
    return f"nats req {_quote(address)} {_quote(body)}"


def _quote(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _sections(markdown: str) -> Iterable[tuple[str, str]]:
    introduction, *rest = markdown.split("\n## ")
    yield "", introduction
    for section in rest:
        title, _, text = section.partition("\n")
        yield title.strip(), text


def _shared(document: Document) -> frozenset[str]:
    schemas = document["components"]["schemas"]
    uses: Counter[str] = Counter()
    for message in document["components"]["messages"].values():
        text = json.dumps(message)
        uses.update(name for name in schemas if f'"#/components/schemas/{name}"' in text)
    large = {name for name, schema in schemas.items() if len(schema.get("properties", {})) >= _TYPE_OF_ITS_OWN}
    return frozenset(name for name in large if uses[name] > 1)


def _entry(document: Document, name: str, operation: dict[str, Any], shared: frozenset[str]) -> Entry:
    address = resolve(document, operation["channel"])["address"]
    request = _body(document, operation["messages"][0], shared)
    reply = failure = None
    failures: list[Failure] = []
    if "reply" in operation:
        reply, failure = (_body(document, message, shared) for message in operation["reply"]["messages"])
        message = resolve(document, operation["reply"]["messages"][1])
        failures = [Failure(**error) for error in message["payload"]["properties"]["error"]["x-errors"]]
    return Entry(
        name=name,
        address=address,
        summary=operation["summary"],
        description="" if operation["description"] == operation["summary"] else operation["description"],
        request=request,
        reply=reply,
        failure=failure,
        failures=tuple(failures),
        command=command(address, request.example) if reply else f"nats sub {_quote(address)}",
    )


def _body(document: Document, pointer: dict[str, str], shared: frozenset[str]) -> Body:
    message = resolve(document, pointer)
    payload, example = message["payload"], message["examples"][0]["payload"]
    is_text = payload.get("type") == "string"
    return Body(
        is_text=is_text,
        description=payload["description"],
        fields=() if is_text else tuple(fields(document, payload, shared)),
        missing=payload.get("x-missing-error", ""),
        example=example if is_text else json.dumps(example, ensure_ascii=False, separators=(",", ":")),
        shown=example if is_text else json.dumps(example, ensure_ascii=False, indent=2),
    )
