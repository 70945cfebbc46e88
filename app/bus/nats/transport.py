# SPDX-License-Identifier: MIT
"""The connection to a NATS server: nats-py's, read little by little, and closed in bounded time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from nats.aio.transport import TcpTransport

if TYPE_CHECKING:
    from app.bus.nats.parser import TolerantParser

_CLOSE_TIME: Final = 0.5
_AT_ONCE: Final = 8 * 1024
"""Bytes that are read in one turn of the event loop: about 180 of the smallest requests, each 0.1 ms of work. What is
missing of a longer body is read at once: that is one message, and nothing else."""


class _Gone(ConnectionResetError, RuntimeError):
    """The connection is closed. The library expects the one in some places and the other in others."""


class BoundedTransport(TcpTransport):
    """A connection over TCP or TLS."""

    def __init__(self, parser: TolerantParser) -> None:
        """Take what takes apart what is read."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._parser = parser
        self._has_more = False

    async def read(self, buffer_size: int) -> bytes:
        """Read what has come. Of a burst little at once: its messages are dealt with in one turn of the event loop."""
        missing = self._parser.missing
        if self._has_more and missing <= _AT_ONCE:
            await asyncio.sleep(0)
        most = min(buffer_size, max(_AT_ONCE, missing))
        data: bytes = await super().read(most)
        self._has_more = len(data) == most
        return data

    async def readline(self) -> bytes:
        """Read a line of the server's greeting. One that is none ends the attempt, as the end of the stream does."""
        try:
            line: bytes = await super().readline()  # type: ignore[no-untyped-call]
            if line.endswith(b"\n") and (not line.startswith(b"INFO") or isinstance(json.loads(line[4:]), dict)):
                return line
        except ValueError:  # longer than any, or no JSON
            pass
        raise _Gone

    def write(self, payload: bytes) -> None:
        """Write; uvloop says with another error than asyncio that the connection is closed."""
        try:
            super().write(payload)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise _Gone from error

    def writelines(self, payload: list[bytes]) -> None:
        """Write all of them, as `write`."""
        try:
            super().writelines(payload)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise _Gone from error

    def abort(self) -> None:
        """Close without a word. A server that does not answer any more is waited for 30 seconds by TLS otherwise."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until it is closed, for a moment."""
        # One whose TLS handshake failed never says that it is closed.
        try:
            async with asyncio.timeout(_CLOSE_TIME):
                await super().wait_closed()  # type: ignore[no-untyped-call]
        except TimeoutError:
            self.abort()
