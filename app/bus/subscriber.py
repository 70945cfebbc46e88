# SPDX-License-Identifier: MIT
"""The subscriber: takes each message from the client library and sees it through to its one reply.

FastStream declares (routers, injection, the test broker, the document); this runs. A test holds the replies of both
to each other; docs/decisions/0002-the-subscriber.md says why there are two.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING, Any, Final

from app.bus import bodies
from app.bus.replies import encode, encode_failure
from app.bus.request import Request
from app.bus.router import refuse_if_absent
from app.bus.subjects import is_inbox
from app.domain.deadline import Deadline
from app.domain.errors import InternalError, ServiceError
from app.domain.ports import Absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faststream import ContextRepo
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription
    from pydantic import BaseModel

    from app.bus.subjects import Subject
    from app.bus.turns import Turns
    from app.observability.telemetry import SubjectTelemetry
    from app.observability.tracing import Trace


_UNLIMITED: Final = -1
"""The client library drops nothing: the callback never waits, so its queue is empty most of the time, and what
waits for its turn is bounded by `Turns`."""


class SubjectSubscriber:
    """Runs one subject: one reply to every request, in bounded time, whatever happens."""

    def __init__(self, declaration: Subject, turns: Turns, telemetry: SubjectTelemetry, request_timeout: float) -> None:
        """Take what the subject declares, who gives requests their turn, and for how many seconds they live."""
        self.declaration = declaration
        self.turns = turns
        self.telemetry = telemetry
        self._tracing = telemetry.tracing
        self.request_timeout = request_timeout
        self.lane = turns.lane()
        self._client: Client
        self.subscription: Subscription | None = None
        self._leaving = False
        self._overdue: set[asyncio.Task[None]] = set()
        self._handle: Callable[[Any], Awaitable[str | BaseModel]]
        self._decode = bodies.decoder(declaration.request, declaration.malformed)

    async def start(self, client: Client, context: ContextRepo) -> None:
        """Bind what is injected, once for the life of the process, and subscribe in the queue group."""
        self._client = client
        self._bind_services(context)
        self.subscription = await client.subscribe(
            self.declaration.address,
            queue=self.declaration.queue,
            cb=self.on_message,
            pending_msgs_limit=_UNLIMITED,
            pending_bytes_limit=_UNLIMITED,
        )

    async def drain(self) -> None:
        """Leave the queue group, and take over all that the server had sent by then."""
        if self.subscription is not None and not self._leaving:
            self._leaving = True
            await self.subscription.drain()  # type: ignore[no-untyped-call]

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
        trace = self._tracing.begin(headers, self.declaration.address) if headers or self._tracing.records else None
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

    async def answer(self, data: bytes) -> tuple[bytes, ServiceError | None]:
        """Return the body of the reply to a request's body, and the failure that it tells of.

        Raises nothing, but for the CancelledError of a task that is cut off.
        """
        try:
            return encode(await self._handle(self._decode(data))), None
        except ServiceError as error:
            return encode_failure(error.wire), error
        except GeneratorExit:  # the request is over before it had its turn
            raise
        except BaseException as error:  # whatever a handler raises, its caller gets a reply
            if isinstance(error, asyncio.CancelledError) and _is_cut_off():
                raise
            self.telemetry.unexpected(error, data)
            return encode_failure(InternalError.wire), InternalError()

    async def reply(
        self, message: Msg, body: bytes, error: ServiceError | None, received: float, trace: Trace | None
    ) -> None:
        """Send the one reply, count it and log it."""
        if message.reply:
            if len(body) > self._client.max_payload:
                self.telemetry.unexpected(ValueError(f"a reply of {len(body)} bytes"), message.data, trace)
                error = InternalError()
                body = encode_failure(error.wire)
            try:
                await self._client.publish(message.reply, body)
            except Exception as failure:  # noqa: BLE001 - the connection is gone or its buffer full: nobody to tell
                self.telemetry.reply_lost(failure, trace)
        self.telemetry.answered(error, time.perf_counter() - received, message.data, trace)

    def reply_soon(
        self, message: Msg, body: bytes, error: ServiceError | None, received: float, trace: Trace | None
    ) -> None:
        """Send the one reply from where nothing can be awaited."""
        task = asyncio.get_running_loop().create_task(self.reply(message, body, error, received, trace))
        self._overdue.add(task)
        task.add_done_callback(self._overdue.discard)

    def _bind_services(self, context: ContextRepo) -> None:
        services = {parameter: context.resolve(name) for parameter, name in self.declaration.injected.items()}
        self._handle = functools.partial(self.declaration.handler, **services)
        absent = next((service for service in services.values() if isinstance(service, Absent)), None)
        if absent is not None:
            self._decode = functools.partial(refuse_if_absent, absent)


def _is_cut_off() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
