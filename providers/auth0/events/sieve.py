# SPDX-License-Identifier: MIT
"""Reduces a stream of Server-Sent Events to plain, small events before auth0-python reads it.

The library takes two seconds for an event of 240 KB, keeps lines without limit, and logs the whole event if a field
has an unexpected type. So only the fields that the service needs are passed on: the user and the addresses. The library
never sees data that a user or the tenant can make odd.

Source: HTML Standard, 9.2 Server-sent events; Auth0's Events API.
"""

from __future__ import annotations

import asyncio
import json
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from app.domain.halves import is_unicode
from app.domain.json_bounds import NESTED, VALUES, holds_more
from providers.auth0.events.offsets import MAX_OFFSET, usable_offset
from providers.http import Bounded, BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

USER_EVENTS: Final = ("user.created", "user.updated", "user.deleted")
OFFSET_ONLY: Final = "offset-only"
UNKNOWN_USER: Final = "?"
"""Replaces an identifier that cannot be read. It is not a subject identifier, because it has no bar."""

MAX_LINE: Final = 1024 * 1024
"""Maximum bytes of a line, and of all lines of an event together. With more, the connection is closed."""

MAX_REFUSAL: Final = 64 * 1024
_MAX_VALUES: Final = 20_000
_MAX_NESTED: Final = 5_000
_MAX_ADDRESSES: Final = 16
_MAX_TEXT: Final = 512
_OK: Final = 200
_TIME: Final = "1970-01-01T00:00:00Z"


class TooLong(BrokenAnswer):
    """A line or an event is too long."""


@dataclass
class _Block:
    """The lines of one event so far."""

    kind: str = ""
    offset: str = ""
    size: int = 0
    data: list[bytes] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """Take a line of the event. Raises TooLong."""
        self.size += len(line)
        if self.size > MAX_LINE:
            raise TooLong("event")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self.kind = value[:_MAX_TEXT].decode("utf-8", "replace")
        elif name == b"id":
            self.offset = usable_offset(value[: MAX_OFFSET + 1].decode("utf-8", "replace"))
        elif name == b"data":
            self.data.append(value)

    def plain(self) -> bytes:
        """Return the event for the library; empty if it is not needed."""
        if self.kind not in {*USER_EVENTS, OFFSET_ONLY, "error"}:
            return b""
        content = _json(b"\n".join(self.data))
        if self.kind == "error":
            detail = _object(content, "error")
            shown: dict[str, Any] = {"error": {"code": _text(detail, "code"), "message": ""}}
        else:
            shown = {"offset": usable_offset(_value(content, "offset")) or self.offset}
            if self.kind != OFFSET_ONLY:
                shown["event"] = _event(self.kind, _object(_object(_object(content, "event"), "data"), "object"))
        return f"event: {self.kind}\ndata: {json.dumps(shown)}\n\n".encode()


def _event(kind: str, user: dict[str, Any]) -> dict[str, Any]:
    identities = user.get("identities")
    few = identities[:_MAX_ADDRESSES] if isinstance(identities, list) else []
    found = [_text(user, "email"), *(_text(_object(identity, "profileData"), "email") for identity in few)]
    identity = {"connection": "email", "provider": "email", "user_id": "", "isSocial": False}
    seen = {
        "user_id": _text(user, "user_id") or UNKNOWN_USER,
        "created_at": _TIME,
        "updated_at": _TIME,
        "deleted_at": _TIME,
        "identities": [{**identity, "profileData": {"email": address}} for address in found if address],
    }
    head = {"specversion": "1.0", "type": kind, "source": "", "id": "", "time": _TIME, "a0tenant": ""}
    return {**head, "data": {"object": seen}}


def _json(data: bytes) -> Any:  # noqa: ANN401 - whatever it is
    if holds_more(_MAX_VALUES, data, VALUES) or holds_more(_MAX_NESTED, data, NESTED):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _object(content: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - whatever it is
    value = content.get(name) if isinstance(content, dict) else None
    return value if isinstance(value, dict) else {}


def _value(content: Any, name: str) -> Any:  # noqa: ANN401 - whatever it is
    value = content.get(name) if isinstance(content, dict) else None
    return value[0] if isinstance(value, list) and value else value


def _text(content: Any, name: str) -> str:  # noqa: ANN401 - whatever it is
    value = _value(content, name)
    if not isinstance(value, str) or len(value) > _MAX_TEXT or not is_unicode(value):
        # Half a character: JSON can name one, and the library takes it for a fault of the whole event.
        return ""
    return value


class Sieve:
    """Turns the bytes of a stream into bytes of plain events."""

    def __init__(self) -> None:
        """Begin at the start of a stream."""
        self._rest = bytearray()
        self._begun = self._half = False
        self._block = _Block()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield each event that `chunk` completes, and an empty one after a number of lines. Raises TooLong."""
        if self._half:
            chunk = chunk.removeprefix(b"\n")
        self._half = chunk.endswith(b"\r") or (self._half and not chunk)
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for number, line in enumerate(lines):
            self._rest += line
            if len(self._rest) > MAX_LINE:
                raise TooLong("line")
            whole = bytes(self._rest if self._begun else self._rest.removeprefix(BOM_UTF8))
            self._begun = True
            self._rest.clear()
            if whole:
                self._block.take(whole)
            else:
                block, self._block = self._block, _Block()
                yield block.plain()
            if number % 512 == 511:  # noqa: PLR2004 - now and then
                yield b""
        self._rest += rest
        if len(self._rest) > MAX_LINE:
            raise TooLong("line")


class _PlainStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sieve = Sieve()
        async for chunk in self._stream:
            for event in sieve.feed(chunk):
                # A flood must not keep everybody else from their turn.
                await asyncio.sleep(0)
                if event:
                    yield event

    async def aclose(self) -> None:
        await self._stream.aclose()


class SievingTransport(httpx.AsyncBaseTransport):
    """Carries requests for a stream of events."""

    def __init__(self, transport: httpx.AsyncBaseTransport, opened: Callable[[], None]) -> None:
        """Take the inner transport, and a function to call when a stream is granted."""
        self._transport = transport
        self._opened = opened

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        response = await self._transport.handle_async_request(request)
        granted = response.status_code == _OK
        if granted:
            response.stream = _PlainStream(response.stream)  # type: ignore[arg-type]
            self._opened()
        else:
            response.stream = Bounded(response.stream, MAX_REFUSAL)  # type: ignore[arg-type]
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
