# SPDX-License-Identifier: MIT
"""Requests of a mebibyte that are made to cost time, sent to every subject while health and a look-up are watched."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from routers import subjects
from tests.benchmarks.processes import cpu_seconds
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from app.bus.subjects import Subject

PREFIX = "lfx.auth-service."
SIZE = 1_048_576
"""Bytes of a message: what nats-server takes unless it is told otherwise."""

_LONG_REPLY = 3_900
_HEADERS = 500_000
_TURN = 0.005
"""Seconds between two questions of a kind."""

FAR_TOO_LONG = 3.0
"""Seconds that no message holds others up, however busy the machine is; what was mended took from five to ever."""

FAR_TOO_MUCH = 1.0
"""CPU seconds that no message takes, whatever counts its lines; what was mended took as long as it held others up."""

FIELDS = {
    "pieces of [redacted]": "[redacted]",
    "token beginnings": "eyJ-",
    "at signs": "a@",
    "bars": "|",
    "half surrogates": "\\ud800",
    "long domains": "a.",
    "letters": "a",
    "letters that grow": "ﷺ",
}
"""What a field is filled with, as it stands between the quotes of a JSON string."""

_WORDS = json.dumps(["[", "[re", "red", "act", "ted]", "redacted", "[redacted]", "d]["])[1:-1]
UNKNOWN = {
    "strings that are pieces of [redacted]": ("[", _WORDS, ",", "]"),
    "deep nesting": ("", "[", "", ""),
    "nested 150 deep, over and over": ("[", "[" * 150 + "]" * 150, ",", "]"),
    "small objects": ("[", '{"":0}', ",", "]"),
    "long numbers": ("[", "9" * 4_000, ",", "]"),
    "one long number": ("", "9", "", ""),
    "exponents": ("[", "1e999999", ",", "]"),
}
"""What stands in a field that nobody knows: before, piece, between, after."""

KINDS = (*FIELDS, *UNKNOWN, "a million keys", "many headers", "a long reply subject")


def bodies(kind: str, subject: Subject, known: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the bodies of a kind for a subject: one for each field of its example; `known` replaces values there."""
    example = _known(subject.example.send, known)
    if kind in FIELDS:
        piece = FIELDS[kind]
        if isinstance(example, str):
            decoded = piece if kind != "half surrogates" else "\ud800"
            yield _cut("a@" * (kind == "long domains") + decoded * SIZE)
            return
        for path in _leaves(example):
            before, after = json.dumps(_with(example, path, "HERE")).split("HERE")
            before += "a@" * (kind == "long domains")
            yield (before + piece * ((SIZE - len(before + after)) // len(piece.encode())) + after).encode()
    elif kind in UNKNOWN:
        begin, piece, between, end = UNKNOWN[kind]
        before, after = _around(example)
        many = (SIZE - len(before + begin + end + after)) // len(piece + between)
        yield (before + begin + between.join([piece] * many) + end + after).encode()
    elif kind == "a million keys":
        before, after = _around(example)
        keys = ",".join(f'"{n:x}":0' for n in range((SIZE - 2_000) // 10))
        yield (f"{before}{{{keys}}}{after}").encode()
    else:
        yield example.encode() if isinstance(example, str) else json.dumps(example).encode()


def _known(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _known(inner, known) for key, inner in value.items()}
    return known.get(value, value)


def _leaves(value: Any) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from ((key, *rest) for rest in _leaves(inner))
        else:
            yield (key,)


def _with(value: dict[str, Any], path: tuple[str, ...], put: str) -> dict[str, Any]:
    first, *rest = path
    return {**value, first: _with(value[first], tuple(rest), put) if rest else put}


def _around(example: Any) -> tuple[str, str]:
    return ('{"unknown":', "}") if isinstance(example, str) else (f'{json.dumps(example)[:-1]},"unknown":', "}")


def _cut(text: str) -> bytes:
    return text[:SIZE].encode("utf-8", "surrogatepass")[:SIZE]


@dataclass
class Seen:
    """What came of a kind of request: replies to each, and the worst times in seconds beside them."""

    requests: int = 0
    replies: list[int] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    looked_up: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """CPU seconds that the service took from each request to its reply, for what was asked beside it as well."""
    wrong: int = 0
    """Questions about health, and look-ups, that were answered otherwise than they should be."""

    @property
    def faults(self) -> int:
        """Requests without exactly one reply, and wrong answers beside them."""
        return self.wrong + sum(count != 1 for count in self.replies)

    def assert_harmless(self) -> None:
        """Assert that all got their reply, and that nobody else waited for long."""
        assert self.requests >= 16
        assert self.live
        assert self.faults == 0
        assert max(self.live) < FAR_TOO_LONG
        assert max(self.looked_up) < FAR_TOO_LONG
        assert max(self.cpu) < FAR_TOO_MUCH


class Attack:
    """Sends hostile requests to a service, one at a time, and asks for health and a look-up until each is answered."""

    def __init__(self, port: int, pid: int, connections: tuple[Client, Client], known: Mapping[str, str]) -> None:
        """Take where the service's HTTP side is, its process, two connections, and what stands for examples' values."""
        self._port = port
        self._pid = pid
        self._attacker, self._bystander = connections
        self._known = known
        self._numbers = itertools.count()
        self._replies: dict[str, tuple[asyncio.Event, list[bytes]]] = {}
        self._inbox = self._attacker.new_inbox()

    async def listen(self) -> None:
        """Take replies."""

        async def replied(message: Msg) -> None:
            event, bodies = self._replies[message.subject]
            bodies.append(message.data)
            event.set()

        await self._attacker.subscribe(f"{self._inbox}.>", cb=replied)
        await self._attacker.flush()

    async def of(self, kind: str) -> Seen:
        """Send every body of a kind to every subject."""
        seen = Seen()
        keys = [
            await self._one(subject.address, body, kind, seen)
            for subject in subjects()
            for body in bodies(kind, subject, self._known)
        ]
        await self._attacker.flush()
        seen.replies = [len(self._replies.pop(key)[1]) for key in keys]
        return seen

    async def _one(self, address: str, body: bytes, kind: str, seen: Seen) -> str:
        key = f"{self._inbox}.{next(self._numbers)}"
        if kind == "a long reply subject":
            key += "." + "a-" * ((_LONG_REPLY - len(key) - len(address)) // 2)
        headers = {f"h{n}": "x" for n in range(_HEADERS // 10)} if kind == "many headers" else None
        answered, _ = self._replies[key] = asyncio.Event(), []
        begun = cpu_seconds(self._pid)
        await self._attacker.publish(address, body, key, headers)
        seen.requests += 1
        await self._attacker.flush()
        # Now the server has it, and whoever asks comes behind it. What it cost to make it delays nobody's questions.
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as asking:
            asking.create_task(self._until(answered, self._look_up, seen))
            asking.create_task(self._until(answered, self._ask_health, seen))
            await answered.wait()
        seen.cpu.append(cpu_seconds(self._pid) - begun)
        return key

    async def _until(self, answered: asyncio.Event, ask: Callable[[Seen], Awaitable[None]], seen: Seen) -> None:
        await ask(seen)
        while not answered.is_set():
            await asyncio.sleep(_TURN)
            await ask(seen)

    async def _look_up(self, seen: Seen) -> None:
        begun = perf_counter()
        reply = await self._bystander.request(f"{PREFIX}username_to_sub", b"ada", timeout=PATIENCE)
        seen.looked_up.append(perf_counter() - begun)
        seen.wrong += reply.data != b"auth0|ada"

    async def _ask_health(self, seen: Seen) -> None:
        begun = perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        seen.live.append(perf_counter() - begun)
        seen.wrong += not answer.startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def attack(url: str, port: int, pid: int, known: Mapping[str, str]) -> AsyncIterator[Attack]:
    """Connect to NATS and to a service's HTTP side; `known`: value of an example to what is sent instead."""
    attacker, bystander = await connect(url), await connect(url)
    async with attacker, bystander:
        found = Attack(port, pid, (attacker, bystander), known)
        await found.listen()
        yield found
