"""The subscriber: the whole way of a message, from the client library's hands to the one reply.

FastStream declares (routers, injection, the test broker, the document); this runs. What it uses of FastStream
beyond the public interface is listed in `docs/decisions/` and pinned by `tests/runtime/test_faststream_surface.py`.
"""

from __future__ import annotations

import asyncio
import functools
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from faststream._internal.context.context_type import Context as Injected
from faststream.nats.subscriber.usecases import CoreSubscriber
from faststream.response import Response, ensure_response
from pydantic import ValidationError

from app.domain.deadline import Deadline, set_deadline
from app.domain.errors import InternalError, Malformed, RequestTimedOut, ServiceError
from app.domain.ports import Absent
from app.runtime.replies import encode, encode_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context

    from nats.aio.msg import Msg
    from pydantic import BaseModel

    from app.runtime.subjects import Subject
    from app.runtime.telemetry import SubjectTelemetry
    from app.runtime.turns import Lane, Turns

_MESSAGE_OVERHEAD = 512
"""Bytes that a waiting message holds beside its body, roughly: headers, subjects, the coroutine."""


class SubjectSubscriber(CoreSubscriber):
    """Runs one subject: one reply to every request, in bounded time, whatever happens."""

    declaration: Subject
    turns: Turns
    telemetry: SubjectTelemetry
    request_timeout: float

    def bind(
        self, declaration: Subject, turns: Turns, telemetry: SubjectTelemetry, request_timeout: float
    ) -> SubjectSubscriber:
        """Take what the subject declares, who gives requests their turn, and for how many seconds they live."""
        self.declaration = declaration
        self.turns = turns
        self.telemetry = telemetry
        self.request_timeout = request_timeout
        self._lane = turns.lane()
        self._overdue: set[asyncio.Task[None]] = set()
        self._handle: Callable[[Any], Awaitable[str | BaseModel]] | None = None
        self._absent: type[ServiceError] | None = None
        self._malformed = Malformed(declaration.malformed or "")
        return self

    async def start(self) -> None:
        """Bind what is injected, once for the life of the process, and subscribe."""
        self._bind_services()
        await super().start()

    async def _create_subscription(self) -> None:
        if self.subscription is None:
            self.subscription = await self.connection.subscribe(
                subject=self.subject.broker_address,
                queue=self.queue,
                cb=self.on_message,
                **self.extra_options,
            )

    async def drain(self) -> None:
        """Leave the queue group, and take over all that the server had sent by then."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await subscription.drain()

    async def settle(self) -> None:
        """Wait until the replies that were sent for requests past their time are handed to the connection."""
        while self._overdue:
            await asyncio.wait(self._overdue)

    async def on_message(self, message: Msg) -> None:
        """Take a request from the client library; never waits for anything but the reply's buffer."""
        loop = asyncio.get_running_loop()
        received = time.perf_counter()
        deadline = Deadline(loop.time() + self.request_timeout, begun=False)
        set_deadline(deadline)
        request = _Request(self, message, deadline, received)
        coroutine = request.serve()
        try:
            # The first steps, without a task: whoever needs to wait for nothing is answered here and now.
            coroutine.send(None)
        except StopIteration:
            await self.reply(message, request.body, request.error, received)
            return
        request.coroutine = coroutine
        request.context = copy_context()
        self.turns.submit(request)

    async def process_message(self, msg: Msg) -> Response:
        """Answer a message of FastStream's test broker, with no connection behind it."""
        body, _ = await self.answer(msg.data)
        return ensure_response(body)

    async def answer(self, data: bytes) -> tuple[bytes, ServiceError | None]:
        """Return the body of the reply to a request's body, and the failure that it tells of. Never raises."""
        try:
            if self._absent is not None:
                raise self._absent
            if self._handle is None:
                self._bind_services()
            return encode(await self._handle(self._decode(data))), None  # type: ignore[misc]
        except ServiceError as error:
            return encode_failure(error.wire), error
        except Exception as error:  # whatever a handler raises, the caller gets a reply
            self.telemetry.unexpected(error, data)
            return encode_failure(InternalError.wire), _internal(error)

    async def reply(self, message: Msg, body: bytes, error: ServiceError | None, received: float) -> None:
        """Send the one reply, count it and log it."""
        if message.reply:
            client = message._client  # noqa: SLF001 - what Msg.respond uses, without its copy of the request's headers
            if len(body) > client.max_payload:
                error = _internal(ValueError(f"a reply of {len(body)} bytes"))
                self.telemetry.unexpected(error.__cause__, message.data)  # type: ignore[arg-type]
                body = encode_failure(error.wire)
            try:
                await client.publish(message.reply, body)
            except Exception as failure:  # the connection is gone for good, or its buffer is full: nobody to tell
                self.telemetry.reply_lost(failure)
        self.telemetry.answered(error, time.perf_counter() - received)

    def reply_late(self, message: Msg, error: ServiceError, received: float) -> None:
        """Send a reply from where nothing can be awaited."""
        task = asyncio.get_running_loop().create_task(self.reply(message, encode_failure(error.wire), error, received))
        self._overdue.add(task)
        task.add_done_callback(self._overdue.discard)

    def _decode(self, data: bytes) -> Any:  # noqa: ANN401 - the handler's own type
        model = self.declaration.request
        if model is None:
            # Ill-formed UTF-8 becomes surrogates, which are in no address and no username.
            return data.decode("utf-8", "surrogateescape").strip()
        try:
            return model.__pydantic_validator__.validate_json(data)
        except ValidationError:
            raise self._malformed from None

    def _bind_services(self) -> None:
        services = {
            parameter: self._outer_config.context.resolve(marker.name)
            for parameter, marker in self.declaration.injected.items()
            if isinstance(marker, Injected)
        }
        absent = next((service for service in services.values() if isinstance(service, Absent)), None)
        self._absent = absent.error if absent else None
        self._handle = functools.partial(self.declaration.handler, **services)


def _internal(cause: BaseException) -> InternalError:
    error = InternalError()
    error.__cause__ = cause
    return error


class _Request:
    """A request from its message to its reply; what `turns.Job` asks for."""

    __slots__ = (
        "_message",
        "_received",
        "_refused",
        "_subscriber",
        "body",
        "context",
        "coroutine",
        "deadline",
        "error",
    )

    coroutine: Coroutine[Any, Any, None]
    context: Context
    body: bytes
    error: ServiceError | None

    def __init__(self, subscriber: SubjectSubscriber, message: Msg, deadline: Deadline, received: float) -> None:
        self._subscriber = subscriber
        self._message = message
        self._received = received
        self._refused = False
        self.deadline = deadline

    @property
    def lane(self) -> Lane:
        return self._subscriber._lane  # noqa: SLF001 - the two classes are one thing

    @property
    def size(self) -> int:
        return len(self._message.data) + _MESSAGE_OVERHEAD

    async def serve(self) -> None:
        """Work out the reply; send it, if that took a turn: until then the subscriber sends it itself."""
        self.body, self.error = await self._subscriber.answer(self._message.data)
        if self.deadline.begun and not self._refused:
            await self._subscriber.reply(self._message, self.body, self.error, self._received)

    def refuse(self, error: ServiceError) -> None:
        self._refused = True
        self._subscriber.reply_late(self._message, error, self._received)

    def ended(self, error: BaseException | None) -> None:
        """Log how a request ended after it was answered for; answer when it was cut off without that."""
        if not self._refused:
            self.refuse(RequestTimedOut() if isinstance(error, asyncio.CancelledError) else InternalError())
        elif self.deadline.committed:
            self._subscriber.telemetry.ended_late(error or getattr(self, "error", None))
