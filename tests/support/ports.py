# SPDX-License-Identifier: MIT
"""Ports for processes of tests, and nats-servers on them: until the process listens there, nobody else is given it.

A port that is only found free can be given to another test before the process listens: each test takes some.
"""

from __future__ import annotations

import atexit
import socket
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.cli.dev.nats_server import nats_server as on_any_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.nats_server import NatsServer

_HELD = 64
"""How many of the last ports stay held: more than a test has."""

_held: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port on which nobody listens; who asks for any free one is given another.

    It is bound here and never listened on: the system then gives it to nobody, and who names it may listen.
    """
    while len(_held) >= _HELD:
        _held.popleft().close()
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    _held.append(bound)
    port: int = bound.getsockname()[1]
    return port


@atexit.register
def _release() -> None:
    while _held:
        _held.pop().close()


@contextmanager
def nats_server(port: int = 0, *arguments: str) -> Iterator[NatsServer]:
    """Run a nats-server while the context lasts; its port stays its own while it is stopped, too."""
    with on_any_port(port or free_port(), *arguments) as server:
        yield server
