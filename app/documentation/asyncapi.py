# SPDX-License-Identifier: MIT
"""The document: AsyncAPI 3, generated from the declarations that subscribe and publish.

FastStream knows what is received and sent. Replies it leaves out; they come from the subjects' declarations here, as do
failures, examples and descriptions.
"""

from __future__ import annotations

import inspect
import json
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from faststream.specification import AsyncAPI
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from app.bus.replies import Failure
from app.bus.subjects import QUEUE_GROUP
from app.documentation import operations
from app.documentation.page import assets
from app.documentation.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from app.bus.broker import AuthBroker

Answer = tuple[str, bytes, "Mapping[str, str]"]

_OVERVIEW: Final = Path(__file__).with_name("overview.md")
_SERVER: Final = {
    "host": "localhost:4222",
    "pathname": "",
    "protocol": "nats",
    "description": "A NATS server on your own machine, as `auth-service dev` starts it.",
}
_EVENTS: Final = {"name": "Events", "description": "Messages that the service publishes after a change."}


class Specification(ApplicationSchema):
    """A document with operations as they are given: FastStream's model of them drops the queue group."""

    operations: dict[str, dict[str, Any]]  # type: ignore[assignment]  # wider on purpose


class SubjectsAsyncAPI(AsyncAPI):
    """FastStream's generator, extended by replies, failures, examples and descriptions."""

    def __init__(self, broker: AuthBroker, version: str) -> None:
        """Take what subscribes and publishes, and the version of the service."""
        self._subjects = [subscriber.declaration for subscriber in broker.subject_subscribers]
        queue = self._subjects[0].queue if self._subjects else QUEUE_GROUP
        super().__init__(
            broker,
            title="LFX auth service",
            version=version,
            description=_OVERVIEW.read_text(encoding="utf-8").replace("{queue}", queue),
            license={"name": "MIT"},
        )
        published: list[Any] = [publisher.specification for publisher in broker.publishers]
        events = [
            operations.Event(p.name, p.subject.template, p.config.description_, p.config.schema_) for p in published
        ]
        self._events = sorted(events, key=lambda event: event.name)

    def to_specification(self) -> Specification:
        """Return the document. It names no server of a deployment."""
        found: dict[str, Any] = super().to_specification().to_jsonable()
        schemas = self._schemas()
        sections: dict[str, dict[str, Any]] = {"channels": {}, "operations": {}, "messages": {}}
        for subject in self._subjects:
            made = operations.messages(subject, schemas)
            sections["messages"] |= {f"{subject.name}.{role}": message for role, message in made.items()}
            sections["channels"] |= operations.channels(subject, found["channels"][subject.name]["address"])
            sections["operations"][subject.name] = operations.operation(subject)
        for event in self._events:
            for section, entries in operations.event(event, schemas).items():
                sections[section] |= entries
        return Specification.model_validate(
            {
                "asyncapi": found["asyncapi"],
                "info": {**found["info"], "tags": self._areas()},
                "defaultContentType": operations.JSON,
                "servers": {"local": _SERVER},
                "channels": sections["channels"],
                "operations": sections["operations"],
                "components": {"messages": sections["messages"], "schemas": schemas.nested},
            }
        )

    def _schemas(self) -> Schemas:
        requests = [subject.request for subject in self._subjects if subject.request]
        replies: list[type[BaseModel]] = [Failure, *(event.model for event in self._events)]
        replies += [subject.reply for subject in self._subjects if subject.reply is not str]  # type: ignore[misc]
        return Schemas(requests, replies)

    def _areas(self) -> list[dict[str, str]]:
        areas = {subject.area: inspect.getmodule(subject.handler) for subject in self._subjects}
        tags = [{"name": area, "description": inspect.getdoc(module) or area} for area, module in areas.items()]
        return [*tags, _EVENTS] if self._events else tags


class Documents:
    """The document and the page, as the HTTP side serves and the command prints them. Made when first asked for."""

    def __init__(self, broker: AuthBroker, version: str) -> None:
        """Take what the document is generated from, and the version of the service."""
        self._broker = broker
        self._version = version

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document, as what JSON makes of it."""
        found: dict[str, Any] = SubjectsAsyncAPI(self._broker, self._version).to_specification().to_jsonable()
        return found

    def yaml(self) -> str:
        """Return the document as YAML."""
        return yaml.dump(self.document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)

    def json(self) -> str:
        """Return the document as JSON."""
        return json.dumps(self.document, ensure_ascii=False, indent=2) + "\n"

    def routes(self) -> Mapping[str, Callable[[], Answer]]:
        """Return what is served at which path: media type, body and headers."""
        return {
            "/docs": self._page,
            "/asyncapi.yaml": lambda: ("application/yaml", self.yaml().encode(), {}),
            "/asyncapi.json": lambda: ("application/json", self.json().encode(), {}),
            **{f"/docs/{name}": partial(assets.answer, name) for name in assets.NAMES},
            **{f"/{assets.address(name)}": partial(assets.answer, name, for_ever=True) for name in assets.NAMES},
        }

    def _page(self) -> Answer:
        from app.documentation.page.render import HEADERS, render  # noqa: PLC0415 - a service that nobody reads about needs no Jinja2

        return "text/html", render(self.document).encode(), HEADERS


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and everything in full where it stands."""

    def ignore_aliases(self, _: object) -> bool:
        """Use no anchors: a reader should not have to look elsewhere."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
