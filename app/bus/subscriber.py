# SPDX-License-Identifier: MIT
"""The subscriber: the whole way of a message, from the client library's hands to the one reply.

FastStream declares (routers, injection, the test broker, the document); this runs. What it uses of FastStream
beyond the public interface is listed in `docs/decisions/` and pinned by `tests/bus/test_faststream_surface.py`.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING, Any, NoReturn

from faststream._internal.context.context_type import Context as Injected
from faststream.nats.subscriber.usecases import CoreSubscriber
from faststream.response import Response, ensure_response

from app.bus import bodies
from app.bus.replies import encode, encode_failure
from app.bus.request import Request, internal_error
from app.bus.subjects import is_inbox
from app.domain.deadline import Deadline
from app.domain.errors import InternalError, Malformed, ServiceError
from app.domain.ports import Absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg
    from pydantic import BaseModel

    from app.bus.subjects import Subject
    from app.bus.turns import Turns
    from app.observability.telemetry import SubjectTelemetry
    from app.observability.tracing import Trace


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
        self._tracing = telemetry.tracing
        self.request_timeout = request_timeout
        self.lane = turns.lane()
        self._overdue: set[asyncio.Task[None]] = set()
        self._handle: Callable[[Any], Awaitable[str | BaseModel]] | None = None
        self._decode: Callable[[bytes], Any] = bodies.text
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
            await subscription.drain()  # type: ignore[no-untyped-call]

    async def settle(self) -> None:
        """Wait until the replies that were sent for requests past their time are handed to the connection."""
        while self._overdue:
            await asyncio.wait(self._overdue)

    async def on_message(self, message: Msg) -> None:
        """Take a request from the client library; never waits for anything but the reply's buffer."""
        received = time.perf_counter()
        timeout = self.request_timeout
        deadline = Deadline(asyncio.get_running_loop().time() + timeout, timeout, begun=False)
        headers = message.headers
        trace = self._tracing.begin(headers) if headers or self._tracing.records else None
        message.headers = None  # up to a megabyte, which nobody needs while the request waits
        if message.reply and not is_inbox(message.reply, self.declaration.prefix):
            self.telemetry.reply_refused(message.reply, trace)
            message.reply = ""
        request = Request(self, message, deadline, received, trace)
        # The first steps, without a task: whoever needs to wait for nothing is answered here and now.
        if request.advance():
            self.turns.submit(request)
        else:
            await self.reply(message, request.body, request.error, received, trace)

    async def process_message(self, msg: Msg) -> Response:
        """Answer a message of FastStream's test broker, with no connection behind it."""
        body, _ = await self.answer(msg.data)
        return ensure_response(body)

    async def answer(self, data: bytes) -> tuple[bytes, ServiceError | None]:
        """Return the body of the reply to a request's body, and the failure that it tells of.

        Raises nothing, but for the CancelledError of a task that is cut off.
        """
        try:
            if self._handle is None:
                self._bind_services()
            return encode(await self._handle(self._decode(data))), None  # type: ignore[misc]
        except ServiceError as error:
            return encode_failure(error.wire), error
        except GeneratorExit:  # the request is over before it had its turn
            raise
        except BaseException as error:  # whatever a handler raises, its caller gets a reply
            if isinstance(error, asyncio.CancelledError) and _is_cut_off():
                raise
            self.telemetry.unexpected(error, data)
            return encode_failure(InternalError.wire), internal_error(error)

    async def reply(
        self, message: Msg, body: bytes, error: ServiceError | None, received: float, trace: Trace | None
    ) -> None:
        """Send the one reply, count it and log it."""
        if message.reply:
            client = message._client  # noqa: SLF001 - what Msg.respond uses, without its copy of the request's headers
            if len(body) > client.max_payload:
                error = internal_error(ValueError(f"a reply of {len(body)} bytes"))
                self.telemetry.unexpected(error.__cause__, message.data, trace)  # type: ignore[arg-type]
                body = encode_failure(error.wire)
            try:
                await client.publish(message.reply, body)
            except Exception as failure:  # noqa: BLE001 - the connection is gone or its buffer full: nobody to tell
                self.telemetry.reply_lost(failure, trace)
        self.telemetry.answered(error, time.perf_counter() - received, message.data, trace)

    def reply_late(self, message: Msg, error: ServiceError, received: float, trace: Trace | None) -> None:
        """Send a reply from where nothing can be awaited."""
        reply = self.reply(message, encode_failure(error.wire), error, received, trace)
        task = asyncio.get_running_loop().create_task(reply)
        self._overdue.add(task)
        task.add_done_callback(self._overdue.discard)

    def _bind_services(self) -> None:
        services = {
            parameter: self._outer_config.context.resolve(marker.name)
            for parameter, marker in self.declaration.injected.items()
            if isinstance(marker, Injected)
        }
        self._handle = functools.partial(self.declaration.handler, **services)
        absent = next((service for service in services.values() if isinstance(service, Absent)), None)
        if absent is not None:
            self._decode = functools.partial(_refuse, absent)
        elif self.declaration.request is not None:
            self._decode = functools.partial(_read, self.declaration.request, self.declaration.malformed or "")


def _read(request: type[BaseModel], malformed: str, data: bytes) -> BaseModel:
    try:
        return bodies.read(request, data)
    except ValueError:
        raise Malformed(malformed) from None


def _refuse(absent: Absent, data: bytes) -> NoReturn:
    """Stand in for decoding where the provider lacks what the subject needs: that comes before all else."""
    absent.note(data)
    raise absent.error


def _is_cut_off() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
