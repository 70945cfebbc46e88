# SPDX-License-Identifier: MIT
"""The processes of a measurement (service, echo, load), what they cost, and how they are ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.dev.children import end
from tests.benchmarks.load import Tally
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.load import Order

ROOT = Path(__file__).parents[2]
_START_TIME = 300.0
_STOP_TIME = 30.0


def environment(**variables: str) -> dict[str, str]:
    """Return what a process needs of this one's environment, and `variables`: nothing else configures it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system, all threads: `clock_getcpuclockid(3)`."""
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def child(command: list[str], variables: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the context lasts, its output in `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=output, stderr=output)
    try:
        yield process
    finally:
        end(process, _STOP_TIME)


@dataclass(frozen=True)
class Responder:
    """A process that answers requests, and how many seconds it took from its start until it was ready to."""

    pid: int
    start: float
    port: int = 0
    """Where the HTTP side is, if there is one."""


@contextmanager
def service(
    nats_url: str, directory: Path, *, slow: bool = False, module: str = "", **more: str
) -> Iterator[Responder]:
    """Run the service with production settings on the mock provider, or on the one that the variables `more` name.

    `slow`: on one that does as it is told; `module`: what runs it otherwise than its own command.
    """
    port = free_port()
    set_up = {"PORT": str(port), "BIND": "127.0.0.1", "LOG_LEVEL": "info", "LOG_FORMAT": "json"}
    variables = environment(NATS_URL=nats_url, REQUEST_TIMEOUT="10s", **set_up, **more)
    module = "tests.support.slow_service" if slow else module
    own = [str(Path(sys.executable).with_name("auth-service")), "serve"]
    command = [sys.executable, "-m", module] if module else own
    started = time.perf_counter()
    with child(command, variables, directory / "service.log") as process:
        _wait_until_ready(process, port, directory / "service.log")
        yield Responder(process.pid, time.perf_counter() - started, port)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIME
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)
    raise RuntimeError(f"the service did not become ready:\n{log.read_text(errors='replace')}")


@contextmanager
def echo(nats_url: str, directory: Path) -> Iterator[Responder]:
    """Run the yardstick."""
    log = directory / "echo.log"
    started = time.perf_counter()
    with child([sys.executable, "-m", "tests.benchmarks.echo", nats_url], environment(), log) as process:
        while "ready" not in log.read_text(errors="replace"):
            if process.poll() is not None or time.perf_counter() > started + _START_TIME:
                raise RuntimeError(f"the echo did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.005)
        yield Responder(process.pid, time.perf_counter() - started)


class Generator:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take the process, which waits for orders."""
        self._process = process

    def begin(self, order: Order) -> None:
        """Give an order."""
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()

    def end(self) -> Tally:
        """Return what came of the order, once it is carried out."""
        return Tally(**json.loads(self._process.stdout.readline()))

    def run(self, order: Order) -> Tally:
        """Give an order and wait for what comes of it."""
        self.begin(order)
        return self.end()


@contextmanager
def generator(nats_url: str) -> Iterator[Generator]:
    """Run a load generator."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load", nats_url],
        env=environment(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Generator(process)
        process.stdin.close()
