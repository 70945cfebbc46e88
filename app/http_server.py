# SPDX-License-Identifier: MIT
"""A small HTTP/1.1 server for a few small answers, which any number of hostile clients cannot block.

h11 knows the protocol, asyncio the sockets. What is here is the time that a connection has for each of its steps, and
which one goes when there are too many: see docs/decisions/0060-the-http-server.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import h11
from loguru import logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PIECE: Final = 64 * 1024
"""Bytes of an answer that a client must have taken before it is given more."""
_LINGER: Final = 64 * 1024
"""Bytes that are read, and thrown away, of a request whose answer ends its connection."""
_AT_ONCE: Final = 64
"""Connections that are taken in one turn of the loop: few beside `Limits.connections`, so that all are read in time."""
_QUEUE: Final = 2048
"""Connections that wait in the kernel to be taken. Beyond it a client, a probe too, tries again after a second."""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes


Answering = Callable[[str, str], Awaitable[Answer]]
"""Takes a method and a request target, as they were sent."""


@dataclass(frozen=True)
class Limits:
    """What one connection, and all of them, may take."""

    head: float = 2.0
    """Seconds from connecting, and from each answer, in which a request's head must be there."""
    answer: float = 10.0
    """Seconds in which an answer must be made, and taken by the client."""
    connections: int = 256
    """Maximum number. At one more, the connection that has completed nothing for longest is closed."""


@contextlib.asynccontextmanager
async def listening(listener: socket.socket, answering: Answering, limits: Limits) -> AsyncIterator[None]:
    """Answer on `listener` while the context lasts. Its end does not wait for open connections."""
    # What a client leaves unread fills the kernel's memory, up to megabytes a connection, unless that is told.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _PIECE)
    connections = _Connections(answering, limits)
    server = await asyncio.start_server(connections.take, sock=listener, limit=_PIECE, backlog=_AT_ONCE)
    listener.listen(_QUEUE)
    try:
        yield
    finally:
        server.close()
        await connections.close()
        await server.wait_closed()


class _Connections:
    """All connections, in the order in which each last did something whole: connect, send a head, take an answer."""

    def __init__(self, answering: Answering, limits: Limits) -> None:
        self._answering = answering
        self._limits = limits
        self._room = limits.connections
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._turn = asyncio.Lock()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection until it ends, dawdles, or has to make room."""
        task = asyncio.create_task(self._serve(reader, writer), name="http")
        self._tasks[task] = None
        task.add_done_callback(lambda _: self._gone(task, writer.transport))
        while len(self._tasks) > self._room:
            self._close(next(iter(self._tasks)))

    async def close(self) -> None:
        """Close every connection, and those that still come."""
        self._room = 0
        tasks = list(self._tasks)
        while self._tasks:
            self._close(next(iter(self._tasks)))
        await asyncio.gather(*tasks, return_exceptions=True)

    def _close(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        task.cancel()

    def _gone(self, task: asyncio.Task[None], transport: asyncio.WriteTransport) -> None:
        self._tasks.pop(task, None)
        transport.abort()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("an HTTP connection ended in an unexpected way")

    def _progressed(self) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        if task in self._tasks:
            del self._tasks[task]
            self._tasks[task] = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            await self._converse(reader, writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until the kernel has it all
        connection = h11.Connection(h11.SERVER)
        again = False
        while connection.states[h11.CLIENT] is h11.IDLE:
            async with asyncio.timeout(self._limits.head):
                request = await _request(connection, reader)
            self._progressed()
            if request is None:
                return
            async with asyncio.timeout(self._limits.answer):
                if again:
                    await self._in_turn()
                answer = await self._answer(request)
                if isinstance(request, h11.Request) and request.method == b"HEAD":
                    await _send(connection, writer, answer, b"")
                else:
                    await _send(connection, writer, answer, answer.body)
            self._progressed()
            if set(connection.states.values()) == {h11.DONE}:
                connection.start_next_cycle()
            again = True
        async with asyncio.timeout(self._limits.head):
            await _take_leave(reader, writer)

    async def _in_turn(self) -> None:
        """Wait for a turn of the loop in which no other connection goes on: a connection's first request needs none.

        Hundreds that send request after request would make each turn as long as all their answers take.
        """
        async with self._turn:
            await asyncio.sleep(0)

    async def _answer(self, request: h11.Request | HTTPStatus) -> Answer:
        if isinstance(request, HTTPStatus):
            return refusal(request)
        try:
            return await self._answering(request.method.decode("latin-1"), request.target.decode("latin-1"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next request is answered
            logger.opt(exception=error).error("a page could not be made")
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def refusal(status: HTTPStatus, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that says no more than its status does."""
    return Answer(status, {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}, status.phrase.encode())


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | HTTPStatus | None:
    """Return the next request; a status when it is none; nothing when the client is gone."""
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            data = await reader.read(_PIECE)
            if not data:
                return None
            connection.receive_data(data)
        if isinstance(event, h11.Request):
            connection.next_event()  # takes note of the end of a request without a body; nobody reads another
            return event
    except h11.RemoteProtocolError:
        return HTTPStatus.BAD_REQUEST
    return None


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, body: bytes) -> None:
    """Send an answer with as much of its body as is asked for, piece by piece as the client takes it."""
    # A client's own wish to close, or its HTTP/1.0, h11 sees to.
    closing = [] if connection.states[h11.CLIENT] is h11.DONE else [("Connection", "close")]
    headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body))), *closing]
    response = h11.Response(status_code=answer.status, reason=answer.status.phrase.encode(), headers=headers)
    wire = connection.send(response) or b""
    for start in range(0, len(body), _PIECE):
        wire += connection.send(h11.Data(data=body[start : start + _PIECE])) or b""
        await _write(writer, wire)
        wire = b""
    await _write(writer, wire + (connection.send(h11.EndOfMessage()) or b""))


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send `data` and wait until the kernel has it. Raises ConnectionError when the client is gone."""
    if writer.is_closing():
        raise ConnectionResetError  # uvloop would raise an error of its own
    writer.write(data)
    await writer.drain()


async def _take_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close in steps, for what is unread would take the answer away from the client (RFC 9112, section 9.6)."""
    if writer.is_closing():
        return
    writer.write_eof()
    left = _LINGER
    while left > 0 and (data := await reader.read(left)):
        left -= len(data)
