# SPDX-License-Identifier: MIT
"""A FastStream router whose subscribers are subjects. Any `NatsBroker` can include, test and document it.

`AuthBroker` includes it too, and runs the subjects in a leaner way; see docs/decisions/0080-routers.md.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from faststream import BaseMiddleware
from faststream.context import Context as Injected
from faststream.nats import NatsRouter
from loguru import logger

from app.bus import bodies
from app.bus.replies import encode, encode_failure
from app.bus.subjects import PREFIX, QUEUE_GROUP, Example, Subject
from app.domain.errors import InternalError, Overloaded, RequestTimedOut, ServiceError
from app.domain.ports import Absent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from faststream import ContextRepo, StreamMessage
    from nats.aio.msg import Msg
    from pydantic import BaseModel

Handler = TypeVar("Handler", bound="Callable[..., Awaitable[str | BaseModel]]")

COMMON_ERRORS: tuple[type[ServiceError], ...] = (Overloaded, RequestTimedOut, InternalError)
"""What any subject may answer."""


class Router(NatsRouter):
    """The subjects of one area, in the order of their declaration.

    Like every FastStream router it belongs to one broker at a time, the last that included it. For two
    brokers at once, use `anew()`.
    """

    def __init__(self, area: str) -> None:
        """Take the name of the area, as the documentation shows it."""
        self.area = area
        self.subjects: list[Subject] = []
        super().__init__(middlewares=(functools.partial(Envelopes, self.subjects),))

    def subject(
        self,
        name: str,
        *,
        malformed: str | None = None,
        errors: tuple[type[ServiceError], ...],
        unavailable: tuple[type[ServiceError], ...] = (),
        example: Example,
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of `lfx.auth-service.<name>`. It calls `subscriber` and keeps errors and example.

        The handler's first parameter is the request: a `Request`, or for a text body a `str` that is annotated with
        its description. The others are injected (`routers.inject`). What it returns is the reply, in the envelope that
        callers expect. The errors come in the order of the checks.
        """

        def declare(handler: Handler) -> Handler:
            hints = get_type_hints(handler, include_extras=True)
            body = next(iter(inspect.signature(handler).parameters))
            self.add(
                Subject(
                    name=name,
                    area=self.area,
                    handler=handler,
                    request=None if _is_text(hints[body]) else hints[body],
                    reply=str if _is_text(hints["return"]) else hints["return"],
                    request_hint=hints[body],
                    reply_hint=hints["return"],
                    malformed=malformed,
                    errors=(*errors, *COMMON_ERRORS),
                    unavailable=unavailable,
                    example=example,
                    injected={name: marker for name, hint in hints.items() if (marker := _injected(hint))},
                )
            )
            return handler

        return declare

    def add(self, subject: Subject) -> None:
        """Subscribe a subject's handler, as FastStream does it."""
        decode = bodies.decoder(subject.request, subject.malformed)
        subscriber = self.subscriber(
            subject.address,
            queue=subject.queue,
            title=subject.name,
            description=subject.summary,
            decoder=lambda message: decode(message.body),
        )
        subscriber(subject.handler)
        self.subjects.append(subject)

    def anew(self, prefix: str = PREFIX, queue: str = QUEUE_GROUP) -> Router:
        """Return a router with the same subjects, for one broker more; `prefix` stands before their names."""
        router = Router(self.area)
        for subject in self.subjects:
            router.add(replace(subject, prefix=prefix, queue=queue))
        return router


class Envelopes(BaseMiddleware[Any, Any]):
    """What handlers return or raise, as the body of the reply: FastStream sends none to a request that fails."""

    def __init__(self, subjects: Sequence[Subject], msg: Msg, /, *, context: ContextRepo) -> None:
        """Take the router's subjects, the message, and where handlers are given their services from."""
        super().__init__(msg, context=context)
        # With whatever prefix the router was included.
        self._subject = next(subject for subject in subjects if msg.subject.endswith(subject.address))

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]) -> bytes:
        """Return the body of the reply; never raises."""
        try:
            for name in self._subject.injected.values():
                refuse_if_absent(self.context.resolve(name), self.msg.data)
            return encode(await call_next(msg))
        except ServiceError as error:
            return encode_failure(error.wire)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, its caller gets a reply
            sent = bodies.strings_sent(self._subject.request, self.msg.data)
            logger.bind(subject=self._subject.name, secrets=sent).opt(exception=error).error("unexpected exception")
            return encode_failure(InternalError.wire)


def refuse_if_absent(service: object, body: bytes) -> None:
    """Raise the error of a capability that the provider lacks, which comes before all else; note the request's body."""
    if isinstance(service, Absent):
        service.note(body)
        raise service.error


def _is_text(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    return getattr(hint, "__origin__", hint) is str


def _injected(hint: Any) -> str | None:  # noqa: ANN401 - any annotation
    return next((meta.name for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Injected)), None)
