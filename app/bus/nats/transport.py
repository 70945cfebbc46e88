# SPDX-License-Identifier: MIT
"""The connection to a NATS server: nats-py's, read little by little, and closed in bounded time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, TypeGuard

from nats.aio.transport import TcpTransport

if TYPE_CHECKING:
    from app.bus.nats.parser import TolerantParser

_CLOSE_TIME: Final = 0.5
_AT_ONCE: Final = 8 * 1024
"""Bytes that are read in one turn of the event loop: about 180 of the smallest requests, each 0.1 ms of work. What is
missing of a longer body is read at once: that is one message, and nothing else."""


class _Gone(ConnectionResetError, RuntimeError):
    """The connection is closed. The library expects the one in some places and the other in others."""

    def __init__(self, why: str = "the connection is closed") -> None:
        """Take what operators read."""
        super().__init__(why)


def is_size(value: object) -> TypeGuard[int]:
    """Whether it can be the largest number of bytes that a server takes."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_greeting(line: bytes) -> bool:
    """Whether the library can read the line as a server's INFO."""
    try:
        info = json.loads(line.removeprefix(b"INFO ").decode())
    except (ValueError, RecursionError):
        return False
    if not line.startswith(b"INFO ") or not isinstance(info, dict):
        return False
    nonce = info.get("nonce", "")
    return is_size(info.get("max_payload", 1)) and isinstance(nonce, str) and nonce.isascii()


class BoundedTransport(TcpTransport):
    """A connection over TCP or TLS."""

    def __init__(self, parser: TolerantParser) -> None:
        """Take what takes apart what is read."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._parser = parser
        self._has_more = False
        self._is_greeted = False

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
        """Read the server's greeting, then what it answers to CONNECT and PING: PONG, or an error.

        A line that is none of these ends the attempt, as the end of the stream does. A PING is answered: the server
        sends one where ours takes seconds to get there.
        """
        try:
            while (line := bytes(await super().readline())).endswith(b"\n"):  # type: ignore[no-untyped-call]
                if not self._is_greeted:
                    if not _is_greeting(line):
                        break
                    self._is_greeted = True
                    return line
                if line.startswith(b"-ERR"):
                    return b"-ERR " + line[4:].decode(errors="replace").strip().encode() + b"\r\n"
                if line.strip() == b"PONG":
                    return b"PONG\r\n"  # the library knows no other form, and would wait for ever
                if line.startswith(b"PING"):
                    self.write(b"PONG\r\n")
                elif not line.startswith(b"INFO"):
                    break
        except ValueError:  # longer than any
            pass
        raise _Gone("the connection was closed, or nobody who answered is a NATS server")

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
