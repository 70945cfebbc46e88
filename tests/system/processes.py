# SPDX-License-Identifier: MIT
"""The service as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.forking import Forked, command
from tests.support.memory import memory
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def serve() -> None:
    """Be `auth-service serve`."""
    command("serve")


def slow() -> None:
    """Be a service that waits as it is told in requests."""
    from tests.support.slow_service import main  # noqa: PLC0415 - in the process that is forked

    sys.exit(main())


@dataclass
class Process:
    """A running service."""

    popen: Forked
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a path of the HTTP side; status 0 when nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def until_ready(self) -> None:
        """Wait until requests are received."""
        self.until(lambda: self.get("/readyz")[0] == 200)

    def end(self, with_signal: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Send a signal and return the exit status."""
        self.popen.send_signal(with_signal)
        return self.popen.wait(seconds)

    def records(self) -> list[dict[str, Any]]:
        """Return what was logged; every line is one JSON object. One that is being written is not there yet."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def memory(self) -> float:
        """Return the resident memory in MiB."""
        return memory(self.popen.pid)


@contextmanager
def process(url: str, folder: Path, service: Callable[[], None] = serve, **variables: str) -> Iterator[Process]:
    """Run the service while the context lasts."""
    port = free_port()
    log = folder / f"{port}.log"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
    environment = {**kept, "NATS_URL": url, "PORT": str(port), "BIND": "127.0.0.1"} | variables
    popen = Forked(service, (), streams=[os.devnull, str(log)], cwd=folder, environment=environment)
    try:
        yield Process(popen, port, log)
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()
