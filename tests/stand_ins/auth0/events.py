# SPDX-License-Identifier: MIT
"""The Events API: GET /api/v2/events, Server-Sent Events of what changes in the tenant.

As documented: a comment `:connected`, then `retry:`; each event with its offset as `id`; `offset-only` at regular
intervals, and comments in between. A connection is closed after some minutes on purpose. It goes on behind the offset
of the header `Last-Event-ID` or, without it, of `from`; `from_timestamp` stands for an offset that is not had yet.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from tests.stand_ins.auth0.web import Call, Reply, api_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand_ins.auth0.tokens import Tokens

USER_TYPES: Final = ("user.created", "user.updated", "user.deleted")
_TYPES: Final = {*USER_TYPES, "organization.created", "connection.created", "group.created"}
_LOOK_AGAIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `number` is its place in the stream, `at` when it happened (Unix seconds)."""

    number: int
    kind: str
    at: float
    data: bytes


class Events:
    """What happened, and how the stream behaves; everything may be changed at any time, from any thread."""

    def __init__(self, tokens: Tokens, now: Callable[[], float], timestamp: Callable[[], str]) -> None:
        self._tokens = tokens
        self._now = now
        self._timestamp = timestamp
        self.heartbeat = 15.0
        """Seconds between two `offset-only`."""
        self.closes_after = 240.0
        """Seconds after which a connection is closed on purpose."""
        self.retry_ms = 2000
        self.connections = 1
        """How many streams may be open at once, by plan."""
        self.open = 0
        self.opened = 0
        self.generation = secrets.token_hex(2)
        self.closings = 0
        """Raised to close every stream that is open."""
        self.silent = False
        """Whether nothing is sent, although the connection stays."""
        self.raw: list[bytes] = []
        """Bytes for whoever reads the stream, as they are."""
        self._events: list[Event] = []
        self._dropped = 0

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._dropped + len(self._events)

    def happened(self, kind: str, user: dict[str, Any]) -> None:
        """Take note of a change of a user."""
        more = {"deleted_at": self._timestamp()} if kind == "user.deleted" else {}
        self.add(kind, {"object": {**user, **more}})

    def add(self, kind: str, data: object) -> None:
        """Add an event with that payload, right or odd."""
        number = self.last + 1
        event = {
            "specversion": "1.0",
            "type": kind,
            "source": f"urn:auth0:{self._tokens.domain}",
            "id": f"evt_{number:016x}",
            "time": self._timestamp(),
            "data": data,
            "a0tenant": "tenant",
        }
        content = {"offset": self.offset(number), "event": event}
        self._events.append(Event(number, kind, self._now(), json.dumps(content).encode()))

    def offset(self, number: int) -> str:
        """Return the opaque text that stands for a place in the stream."""
        return base64.b64encode(f"{self.generation}:{number}".encode()).decode()

    def expire(self) -> None:
        """Forget all that happened: offsets from before are refused."""
        self._dropped = self.last
        self._events.clear()
        self.generation = secrets.token_hex(2)

    def close_all(self) -> None:
        """Close every stream that is open, as the tenant does on purpose."""
        self.closings += 1

    def since(self, number: int) -> list[Event]:
        """Return what happened after that place."""
        return self._events[max(0, number - self._dropped) :]

    def subscribe(self, call: Call) -> Reply:
        """Look at a call; what is granted is then sent by `stream`. Refusal 400, 401, 403, 410 or 429."""
        self._tokens.authorize(call, "read:events")
        wanted = _wanted(call)
        if wanted - _TYPES:
            raise api_refusal(400, "Query validation error on property event_type", "invalid_query_string")
        self._start(call)
        if self.open >= self.connections:
            raise api_refusal(429, "Too many concurrent event connections", "too_many_connections")
        return Reply(200)

    def _start(self, call: Call) -> int:
        """Return the place behind which the stream begins."""
        offset = call.headers.get("Last-Event-ID") or call.query.get("from")
        if offset:
            return self._place(offset)
        if "from_timestamp" in call.query:
            try:
                begin = datetime.fromisoformat(call.query["from_timestamp"]).timestamp()
            except ValueError:
                raise api_refusal(400, "Query validation error on property from_timestamp") from None
            return next((event.number - 1 for event in self._events if event.at >= begin), self.last)
        return self.last

    def _place(self, offset: str) -> int:
        try:
            generation, _, number = base64.b64decode(offset, validate=True).decode().partition(":")
            place = int(number)
        except ValueError:
            raise api_refusal(400, "The cursor is invalid.", "invalid_cursor") from None
        if generation != self.generation or place < self._dropped:
            raise api_refusal(410, "The cursor has expired.", "cursor_expired")
        return place

    async def stream(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        """Send what happens, until the connection ends."""
        loop = asyncio.get_running_loop()
        place, wanted = self._start(call), _wanted(call)
        self.open += 1
        self.opened += 1
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
            response.force_close()
            await response.prepare(request)
            await response.write(b":connected\n\n" + f"retry: {self.retry_ms}\n\n".encode())
            closings, told, begun = self.closings, loop.time(), loop.time()
            while self.closings == closings and loop.time() < begun + self.closes_after:
                if request.transport is None or request.transport.is_closing():
                    break
                if not self.silent:
                    told, place = await self._send(response, place, wanted, told)
                await asyncio.sleep(_LOOK_AGAIN)
            return response
        finally:
            self.open -= 1

    async def _send(self, response: web.StreamResponse, place: int, wanted: set[str], told: float) -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        while self.raw:
            await response.write(self.raw.pop(0))
        for event in self.since(place):
            place = event.number
            if event.kind in wanted or not wanted:
                head = f"event: {event.kind}\nid: {self.offset(event.number)}\ndata: ".encode()
                await response.write(head + event.data + b"\n\n")
                told = loop.time()
        if loop.time() >= told + self.heartbeat:
            told, offset = loop.time(), self.offset(place)
            data = json.dumps({"offset": offset})
            await response.write(f": heartbeat\n\nevent: offset-only\nid: {offset}\ndata: {data}\n\n".encode())
        return told, place


def _wanted(call: Call) -> set[str]:
    """Return the types of events that are asked for; the parameter may come again and again."""
    return {value for name, value in parse_qsl(call.query_text) if name == "event_type"}
