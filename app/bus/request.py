# SPDX-License-Identifier: MIT
"""A request in progress, from its message to its one reply."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.bus.gate import PAUSED
from app.bus.replies import encode_failure
from app.bus.turns import end
from app.domain.deadline import Deadline, set_deadline
from app.domain.errors import InternalError, RequestTimedOut, ServiceError
from app.observability.tracing import Trace, set_trace

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nats.aio.msg import Msg

    from app.bus.lanes import Lane
    from app.observability.telemetry import SubjectTelemetry

_OVERHEAD: Final = 512
"""Bytes that a waiting request is counted for beside what was sent: so that as many small ones may wait as there are
places. Its objects take about 4 KiB."""


class Server(Protocol):
    """What a request uses of the subscriber of its subject."""

    lane: Lane
    telemetry: SubjectTelemetry

    async def answer(self, data: bytes) -> tuple[bytes, ServiceError | None]:
        """Return the body of the reply to a request's body, and the failure that it tells of."""
        ...

    async def reply(
        self, message: Msg, body: bytes, error: ServiceError | None, received: float, trace: Trace | None
    ) -> None:
        """Send the one reply, count it and log it."""
        ...

    def reply_soon(
        self, message: Msg, body: bytes, error: ServiceError | None, received: float, trace: Trace | None
    ) -> None:
        """Send the one reply from where nothing can be awaited."""
        ...


class Request:
    """A request from its message to its one reply; what `lanes.Job` asks for."""

    __slots__ = (
        "_answered",
        "_late",
        "_message",
        "_received",
        "_server",
        "_trace",
        "body",
        "context",
        "coroutine",
        "deadline",
        "error",
    )

    body: bytes
    error: ServiceError | None

    def __init__(self, server: Server, message: Msg, deadline: Deadline, received: float, trace: Trace | None) -> None:
        """Take what it came through, the message, until when, when it came (`perf_counter`), and its trace."""
        self._server = server
        self._message = message
        self._received = received
        self._trace = trace
        self._answered = False
        self._late = False
        self.deadline = deadline
        self.error = None
        self.context = copy_context()
        self.coroutine: Coroutine[Any, Any, None] = self._serve()

    @property
    def lane(self) -> Lane:
        """The lane of its subject."""
        return self._server.lane

    @property
    def size(self) -> int:
        """Bytes that it is counted for: what was sent, and its trace."""
        trace = 0 if self._trace is None else self._trace.size
        return len(self._message.data) + len(self._message.reply) + trace + _OVERHEAD

    def advance(self) -> bool:
        """Take the steps that need no turn; return whether it waits for its turn now."""
        fault: BaseException = RuntimeError("a handler waited before its turn")
        try:
            if self.context.run(self.coroutine.send, None) is PAUSED:
                return True
            # Nothing on the way to the first call of a provider may wait; thrown in there, the error shows where.
            self.context.run(self.coroutine.throw, fault)
        except StopIteration:
            return False
        except GeneratorExit as error:
            fault = error
        end(self.coroutine)
        self.body, self.error = encode_failure(InternalError.wire), InternalError()
        self._server.telemetry.unexpected(fault, self._message.data, self._trace)
        return False

    async def _serve(self) -> None:
        """Work out the reply; send it, if that took a turn: until then the subscriber sends it itself."""
        set_deadline(self.deadline)
        if self._trace is not None:
            set_trace(self._trace)
        self.body, self.error = await self._server.answer(self._message.data)
        if self.deadline.begun and not self._answered:
            self._answered = True
            await self._server.reply(self._message, self.body, self.error, self._received, self._trace)
        await self.deadline.settled()

    def reply(self) -> None:
        """Send the reply to which the steps without a turn led."""
        self._answered = True
        self._server.reply_soon(self._message, self.body, self.error, self._received, self._trace)

    def refuse(self, error: ServiceError) -> None:
        """Send `error`, unless a reply is sent already."""
        if not self._answered:
            self._answered = self._late = True
            body = encode_failure(error.wire)
            self._server.reply_soon(self._message, body, error, self._received, self._trace)

    def ended(self, error: BaseException | None) -> None:
        """Send a reply if the work stopped without one. If it continued after the reply, log how it ended."""
        if self._late and self.deadline.committed:
            self._server.telemetry.ended_late(error or self.error, self._message.data, self._trace)
        elif isinstance(error, asyncio.CancelledError):
            self.refuse(RequestTimedOut())
        elif error is not None:
            self.refuse(InternalError())
            self._server.telemetry.unexpected(error, self._message.data, self._trace)
