# SPDX-License-Identifier: MIT
"""The sources of requests: a file, or the requests that callers send meanwhile."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import select
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError

from app.cli.compare.asking import INBOX
from app.cli.compare.reads import MAX_BODY, READS, Request, requests_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from io import RawIOBase

    from nats.aio.client import Client
    from nats.aio.msg import Msg

_WAITING: Final = 1_000
_WAITING_BYTES: Final = 4 * 1024 * 1024
"""Requests of callers that wait to be asked, and their bytes; what comes beyond is left out."""
_UNREAD: Final = 10_000
_UNREAD_BYTES: Final = 32 * 1024 * 1024
"""The same for what the client library has not handed over yet."""
_LOOK: Final = 0.2
"""Seconds after which whoever reads looks whether to go on."""
_LAST: Final = 2.0
"""Seconds, at most, in which what was sent until the end is still counted."""
_OTHERS: Final = "other subjects"
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotUtf8(Exception):
    """A file of inputs is in another encoding."""


class Source(Protocol):
    """Gives requests until there are no more."""

    left_out: int
    """How many were not asked: too many at once, too long, or too late."""
    passed: Counter[str]
    """Requests that passed by and are never repeated, by subject."""

    def requests(self) -> AsyncGenerator[Request]:
        """Yield one request after the other."""


class Inputs:
    """The lines of a file. It is read as it is needed, and no line further than to its bound."""

    def __init__(self, file: RawIOBase, until: asyncio.Event) -> None:
        """Take the opened file, and what says that it has been long enough: a pipe may never end."""
        self._file, self._until = file, until
        self.left_out = 0
        self.passed: Counter[str] = Counter()

    async def requests(self) -> AsyncGenerator[Request]:
        """Yield what each line stands for. Raises OSError, NotUtf8."""
        first = True
        async for line in self._lines():
            if first and line.startswith(_UTF_16):
                raise NotUtf8
            # Windows writes it at the beginning of a text (RFC 3629, section 6); it is nobody's name.
            for request in requests_for(line.removeprefix(codecs.BOM_UTF8) if first else line):
                yield request
            first = False

    async def _lines(self) -> AsyncGenerator[bytes]:
        begun, too_long = b"", False
        while chunk := await asyncio.to_thread(self._chunk):
            *lines, begun = (begun + chunk).split(b"\n")
            for line in lines:
                if too_long or len(line) >= MAX_BODY:
                    self.left_out += 1
                else:
                    yield line
                too_long = False
            if too_long or len(begun) >= MAX_BODY:
                begun, too_long = b"", True
        self.left_out += too_long
        yield begun

    def _chunk(self) -> bytes:
        """Return what can be read; nothing at the end, or when it has been long enough."""
        while not self._until.is_set():
            if select.select([self._file], [], [], _LOOK)[0]:
                return self._file.read(MAX_BODY) or b""
        return b""


class Traffic:
    """What callers send to the old service, heard without a queue group: nothing is taken from anybody."""

    client: Client
    """A connection of its own, which tells `missed` of faults."""

    def __init__(self, prefix: str, until: asyncio.Event) -> None:
        """Take how the subjects begin, and what says that it has been long enough."""
        self._prefix, self._until = prefix, until
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(_WAITING)
        self._bytes = 0
        self.left_out = 0
        self.passed: Counter[str] = Counter()
        self._declared = _declared()

    async def requests(self) -> AsyncGenerator[Request]:
        """Yield what is heard, until it has been long enough."""
        heard = await self.client.subscribe(
            f"{self._prefix}>", cb=self._hear, pending_msgs_limit=_UNREAD, pending_bytes_limit=_UNREAD_BYTES
        )
        await self.client.flush()
        ended = asyncio.create_task(self._until.wait())
        try:
            while not self._until.is_set():
                request = asyncio.create_task(self._waiting.get())
                await asyncio.wait({request, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not request.done():
                    request.cancel()
                    break
                self._bytes -= len(request.result().body)
                yield request.result()
        finally:
            ended.cancel()
            if self.client.is_connected:
                with contextlib.suppress(TimeoutError, NatsError):
                    async with asyncio.timeout(_LAST):
                        await heard.drain()  # type: ignore[no-untyped-call]
            self.left_out += self._waiting.qsize()

    def missed(self, fault: Exception) -> None:
        """Count what the client library threw away unheard."""
        self.left_out += isinstance(fault, SlowConsumerError)

    async def _hear(self, message: Msg) -> None:
        if message.reply.startswith(INBOX):
            return  # a comparison's own question
        name = message.subject.removeprefix(self._prefix)
        if name not in READS:
            # Of what is no read the name counts, and nobody looks at the rest.
            self.passed[name if name in self._declared else _OTHERS] += 1
        elif len(message.data) > MAX_BODY or self._waiting.full() or self._bytes > _WAITING_BYTES:
            self.left_out += 1
        else:
            self._bytes += len(message.data)
            self._waiting.put_nowait(Request(READS[name], message.data))


def _declared() -> frozenset[str]:
    from routers import subjects  # noqa: PLC0415 - they load all that handlers need

    return frozenset(subject.name for subject in subjects())
