# SPDX-License-Identifier: MIT
"""Sends reads to one of the two services, and notes second replies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Self

from nats.errors import Error as NatsError

from app.cli.compare.answers import AWAY, NO_REPLY, NOBODY, Answer
from app.cli.compare.reads import Read, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

INBOX: Final = "_INBOX.auth-service-compare"
"""How the reply subjects of a comparison begin: a request that names one is no caller's."""

_REMEMBERED: Final = 4_096
"""Requests whose second reply is noticed."""
ECHOES: Final = 0.2
"""Seconds after the last reply in which a second one to it shows itself."""
_UNREAD: Final = 100_000
_UNREAD_BYTES: Final = 64 * 1024 * 1024
"""Replies that wait to be looked at, and their bytes: what comes beyond is lost, whoever it is for."""
_ONE_SERVICE: Final = 2.0
_ONE_MORE: Final = 0.5
"""Seconds, at most, in which the new service answers by its own connection, and after that by the old one's."""
_PROBE: Final = "0"
_STATUS: Final = "Status"
_NO_RESPONDERS: Final = "503"


class Side:
    """The old service or the new one."""

    def __init__(self, client: Client, prefix: str, timeout: float, twice: Callable[[Request], None]) -> None:
        """Take the connection, how the subjects begin, for how long to wait, and whom to tell of a second reply."""
        self._client, self._prefix, self._timeout, self._twice = client, prefix, timeout, twice
        self._inbox = client.new_inbox()
        self._waiting: dict[str, tuple[Request, asyncio.Future[Msg]]] = {}
        self._answered: OrderedDict[str, Request] = OrderedDict()
        self._asked = 0

    async def __aenter__(self) -> Self:
        """Listen for replies."""
        self._replies = await self._client.subscribe(
            f"{self._inbox}.*", cb=self._replied, pending_msgs_limit=_UNREAD, pending_bytes_limit=_UNREAD_BYTES
        )
        await self._client.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no longer."""
        if self._client.is_connected:
            with contextlib.suppress(Exception):  # whatever it is, the answers are there
                await self._replies.unsubscribe()

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a read; whatever goes wrong is an answer too."""
        self._asked += 1
        number = str(self._asked)
        reply: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[number] = request, reply
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                await self.send(request, f"{self._inbox}.{number}")
                message = await reply
        except TimeoutError:
            return Answer(b"", self._timeout, NO_REPLY if self._client.is_connected else AWAY)
        except NatsError as error:
            return Answer(b"", self._timeout, f"NATS: {type(error).__name__}" if self._client.is_connected else AWAY)
        finally:
            self._waiting.pop(number, None)
        seconds = time.perf_counter() - began
        if (message.headers or {}).get(_STATUS) == _NO_RESPONDERS and not message.data:
            return Answer(b"", seconds, NOBODY)
        return Answer(message.data, seconds)

    async def is_also(self, other: Side) -> bool:
        """Return whether this connection gets the answer to a question that goes out by the other one."""
        probe, reply = Request(Read.USERNAME_TO_SUB, b""), asyncio.get_running_loop().create_future()
        self._waiting[_PROBE] = probe, reply
        with contextlib.suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_ONE_SERVICE):
                await other.send(probe, f"{self._inbox}.{_PROBE}")
                await other.ask(probe)
        await asyncio.wait({reply}, timeout=_ONE_MORE)
        self._waiting.pop(_PROBE, None)
        return reply.done()

    async def send(self, request: Request, reply: str) -> None:
        """Send a read, and where its answer is to come. Raises what nats-py raises."""
        await self._client.publish(self._prefix + request.read, request.body, reply=reply)

    async def _replied(self, message: Msg) -> None:
        number = message.subject.rpartition(".")[2]
        if number in self._waiting:
            request, reply = self._waiting.pop(number)
            if not reply.done():
                reply.set_result(message)
            self._answered[number] = request
            if len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)
        elif (known := self._answered.pop(number, None)) is not None:
            self._twice(known)
