# SPDX-License-Identifier: MIT
"""A world a provider: the people of the cases exist in it, and it mints their tokens."""

from __future__ import annotations

import io
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from loguru import logger

from app.observability.logs import Sink
from app.settings import LogSettings, MockSettings, NatsSettings, Settings
from providers.mock import mock_provider
from tests.support.auth0 import Auth0World
from tests.support.authelia import AutheliaWorld
from tests.support.basics import ALIASES, DEFAULTS, Clock, unsigned
from tests.support.people import EVERYBODY, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.domain.ports import Provider


@dataclass
class Log:
    """What the service has logged, as it would stand on standard output."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    def records(self) -> list[dict[str, Any]]:
        """Return the records, oldest first."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


class World(Protocol):
    """What the cases need to know of a provider."""

    name: str
    absent: tuple[Person, ...]
    """Who cannot exist there."""
    expired_error: str
    """What is said of a token whose time is over."""
    clock: Clock

    def settings(self, url: str) -> Settings: ...

    def provider(self, settings: Settings) -> Any:
        """Return an async context manager that gives the provider."""

    def token(self, person: Person) -> str: ...

    def jwt(self, person: Person) -> str: ...

    def expired(self, person: Person) -> str: ...

    def identity_token(self, subject: object, **claims: object) -> str: ...

    def code_sent_to(self, address: str) -> str:
        """Return the last code that was sent to the address."""


class MockWorld:
    """The mock provider, with a users file."""

    name = "mock"
    absent = ()
    expired_error = "token has expired"

    def __init__(self, folder: Path) -> None:
        """Take where the users file may be written."""
        self.clock = Clock()
        self.log = Log()
        self._file = folder / "users.yaml"
        self._file.write_text(_users_file(), encoding="utf-8")

    def settings(self, url: str) -> Settings:
        return Settings(*DEFAULTS, NatsSettings(servers=(url,)), ALIASES, MockSettings(users_file=self._file))

    @asynccontextmanager
    async def provider(self, settings: Settings) -> AsyncIterator[Provider]:
        handler = logger.add(Sink(self.log.stream, LogSettings()), level="DEBUG", format="{message}")
        try:
            yield mock_provider(settings, self.clock)
        finally:
            logger.remove(handler)

    def token(self, person: Person) -> str:
        return f"{person.username or 'sam'}-token" if person.exists else self.jwt(person)

    def jwt(self, person: Person) -> str:
        return unsigned({"sub": person.subject, "exp": self.clock() + 60})

    def expired(self, person: Person) -> str:
        return unsigned({"sub": person.subject, "exp": self.clock()})

    def identity_token(self, subject: object, **claims: object) -> str:
        return unsigned({"sub": subject, **claims})

    def code_sent_to(self, address: str) -> str:
        domain = re.escape(address.strip().lower().rpartition("@")[2])
        sent = re.compile(rf"verification code for \S+@{domain}: (\d{{6}})")
        found = [match[1] for record in self.log.records() if (match := sent.fullmatch(record["message"]))]
        return found[-1]


@cache
def _users_file() -> str:
    return yaml.safe_dump({"users": [_entry(person) for person in EVERYBODY]})


def _entry(person: Person) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "user_id": person.subject,
        "username": person.username,
        "token": f"{person.username or 'sam'}-token",
        "primary_email": person.primary_email,
        # In a file that people write a number is a text; what is no text there is a list.
        "user_metadata": {name: v if isinstance(v, str) else [v] for name, v in person.metadata.items()},
        "identities": [{**vars(social), "is_social": True} for social in person.social],
        "alternate_emails": [vars(alternate) for alternate in person.alternates],
    }
    return entry if person.password is None else {**entry, "password": person.password}


WORLDS = {"mock": MockWorld, "auth0": Auth0World, "authelia": AutheliaWorld}
"""Name → what makes a world, in a folder of its own."""
