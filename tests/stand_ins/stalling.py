# SPDX-License-Identifier: MIT
"""Servers that begin to talk and then say nothing more, and never hang up: what a dead peer looks like."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

HTTP_HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
HTTP_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
HTTP_ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000000\r\n\r\n"
_PATIENCE = 30


class Line:
    """A connection, from the server's side."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def secure(self, context: ssl.SSLContext) -> None:
        """Do the server's part of a TLS handshake. An end of TLS is never answered: nobody reads any more."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def hear(self, end: bytes = b"\r\n\r\n") -> bytes:
        """Read until `end` has come."""
        heard = b""
        while not heard.endswith(end):
            piece = self.socket.recv(65_536)
            if not piece:
                raise ConnectionError
            heard += piece
        return heard

    def say(self, words: bytes) -> None:
        self.socket.sendall(words)


class Stalling:
    """Does on every connection what `talk` does, and afterwards nothing."""

    def __init__(self, talk: Callable[[Line], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._lines: list[Line] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self._lines)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line = Line(self._listener.accept()[0])
                line.socket.settimeout(_PATIENCE)
                self._lines.append(line)
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: Line) -> None:
        with contextlib.suppress(OSError):
            self._talk(line)

    def close(self) -> None:
        """Hang up, and listen no more."""
        with contextlib.suppress(OSError):  # it was closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            line.socket.close()


@contextlib.contextmanager
def stalling(talk: Callable[[Line], None]) -> Iterator[Stalling]:
    """Serve on a free port of 127.0.0.1 while the context lasts."""
    server = Stalling(talk)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """Give a port on which nobody listens and nobody else can."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        yield place.getsockname()[1]


@contextlib.contextmanager
def unanswered() -> Iterator[int]:
    """Give a port on which an attempt to connect is not answered: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def sockets_to(port: int) -> set[str]:
    """Return the sockets of this machine that belong to a process and are, or want to be, connected to that port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # proc_pid_net(5): local and remote address as HEX:HEX, and the inode, 0 once no process has the socket.
    return {row[9] for row in rows if row[2].endswith(f":{port:04X}") and row[9] != "0"}
