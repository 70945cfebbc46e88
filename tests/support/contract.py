# SPDX-License-Identifier: MIT
"""The contract as data: a case is one request and the one reply to it, whatever the provider and the transport."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.people import Person, ada

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.transports import Transport
    from tests.support.worlds import World

    Fill = Callable[[World, Person], str]


@dataclass(frozen=True)
class Blank:
    """A place in a body that the world fills in for the person whose case it is."""

    fill: Fill


TOKEN = Blank(lambda world, person: world.token(person))
"""A good token with every scope."""
JWT = Blank(lambda world, person: world.jwt(person))
"""A good token in the form of a JWT."""
EXPIRED = Blank(lambda world, person: world.expired(person))
EXPIRED_ERROR = Blank(lambda world, _: world.expired_error)
SUBJECT = Blank(lambda _, person: person.subject)
USERNAME = Blank(lambda _, person: person.username)


def prefixed(prefix: str, blank: Blank, suffix: str = "") -> Blank:
    """Put text around what is filled in."""
    return Blank(lambda world, person: prefix + blank.fill(world, person) + suffix)


def identity(subject: object, **claims: object) -> Blank:
    """A token of a social provider with that `sub`."""
    return Blank(lambda world, _: world.identity_token(subject, **claims))


class Place(NamedTuple):
    """A running service, and the world in which it runs."""

    world: World
    service: Transport

    async def ask(self, subject: str, body: Any, person: Person = ada) -> Any:
        """Send a request, return its reply: the bare text, or what the JSON object says."""
        reply = await self.service.request(subject, encoded(filled(body, self.world, person)))
        return json.loads(reply) if reply.startswith(b"{") else reply.decode()

    async def identity_id(self, address: str, person: Person = ada) -> str:
        """Return the id under which an address of that person's is listed."""
        listed = await self.ask("user_identity.list", {"user": {"auth_token": SUBJECT}}, person)
        return next(
            entry["user_id"]
            for entry in listed["data"]
            if (entry["provider"], entry.get("profileData", {}).get("email")) == ("email", address)
        )


@dataclass(frozen=True)
class Case:
    """One request and its reply."""

    subject: str
    title: str
    send: Any
    reply: Any
    as_: Person = ada
    on: frozenset[str] | None = None

    def __str__(self) -> str:
        return f"{self.subject}: {self.title}"

    async def run(self, place: Place) -> None:
        """Send the request, compare the reply to the letter."""
        body = encoded(filled(self.send, place.world, self.as_))
        reply = await place.service.request(self.subject, body)
        expected = filled(self.reply, place.world, self.as_)
        if isinstance(expected, str):
            assert reply == expected.encode()
        else:
            assert json.loads(reply) == expected


def case(  # noqa: PLR0913 - a case has six parts, all but two by name
    subject: str, title: str, *, send: Any, reply: Any, as_: Person = ada, on: tuple[str, ...] | None = None
) -> Case:
    """State a case; `on` names the providers on which alone it holds."""
    return Case(subject, title, send, reply, as_, None if on is None else frozenset(on))


def only_on(*providers: str) -> pytest.MarkDecorator:
    """Run a test on these providers alone: what it states is theirs."""
    return pytest.mark.only_on(*providers)


WITH_ALIASES = WITH_PASSWORDS = ("mock", "auth0")
"""Where accounts have aliases and passwords, and an old primary e-mail stays as an alternate."""

OWN_CODES = ("mock", "authelia")
"""Where one-time codes, and the proofs they are exchanged for, are the service's own."""


def on_every_provider(cases: list[Case]) -> pytest.MarkDecorator:
    """Run a test with each case, where it holds (see `tests.contract.conftest`)."""
    return pytest.mark.parametrize("case", cases, ids=str)


def failure(error: str | Blank) -> dict[str, Any]:
    """The envelope of a failure."""
    return {"success": False, "error": error}


def done(message: str) -> dict[str, Any]:
    """The envelope of a success that only confirms."""
    return {"success": True, "message": message}


def data(value: Any) -> dict[str, Any]:
    """The envelope of a success that carries something."""
    return {"success": True, "data": value}


def filled(value: Any, world: World, person: Person) -> Any:
    """Return `value` with its blanks filled in."""
    if isinstance(value, Blank):
        return value.fill(world, person)
    if isinstance(value, dict):
        return {key: filled(inner, world, person) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, world, person) for inner in value]
    return value


def encoded(value: Any) -> bytes:
    """Return a body: bytes as they are, text as UTF-8, anything else as JSON."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


NOT_OBJECTS = {
    "empty": b"",
    "blank": b"  \n",
    "text": b"ada",
    "a list": b"[]",
    "a list of objects": b"[{}]",
    "a string": b'"ada"',
    "a number": b"12345",
    "true": b"true",
    "null": b"null",
    "cut off": b'{"user": {"auth_token": "ada"}',
    "two objects": b"{}{}",
    "a trailing comma": b'{"user": null,}',
    "single quotes": b"{'user': null}",
    "not UTF-8": b'{"user": "\xff\xfe"}',
    "half a surrogate pair": b'{"user": {"auth_token": "\\ud800"}, "token": "\\ud800", "email": "\\ud800"}',
    "100,000 brackets": b'{"user":' + b"[" * 100_000,
}
WRONG_TYPES: tuple[object, ...] = (5, 1.5, True, False, [], ["x"], {}, {"x": "y"})


def malformed(subject: str, error: str) -> list[Case]:
    """Every body that is no JSON object gets the subject's own error."""
    return [
        case(subject, f"malformed: {title}", send=body, reply=failure(error)) for title, body in NOT_OBJECTS.items()
    ]


def wrong_types(subject: str, error: str, good: dict[str, Any], *path: str, objects: bool = False) -> list[Case]:
    """A known field of a wrong type is malformed; `objects`: the field is an object, so a string is wrong too."""
    wrong = [value for value in WRONG_TYPES if not (objects and isinstance(value, dict))]
    return [
        case(
            subject,
            f"malformed: {'.'.join(path)} is {json.dumps(value)}",
            send=_with(good, path, value),
            reply=failure(error),
        )
        for value in [*wrong, *(["text", ""] if objects else [])]
    ]


def empties(subject: str, error: str, good: dict[str, Any], *path: str, blank: bool = True) -> list[Case]:
    """A field that is missing, null, empty or blank gets the error."""
    values = {"null": None, "empty": ""} | ({"blank": " \t\n "} if blank else {})
    cases = [
        case(subject, f"{'.'.join(path)} is {title}", send=_with(good, path, value), reply=failure(error))
        for title, value in values.items()
    ]
    return [*cases, case(subject, f"{'.'.join(path)} is missing", send=_without(good, path), reply=failure(error))]


def _with(body: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    head, *rest = path
    return {**body, head: _with(body[head], tuple(rest), value) if rest else value}


def _without(body: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {key: value for key, value in body.items() if key != head}
    return {**body, head: _without(body[head], tuple(rest))}
