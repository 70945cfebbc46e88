# SPDX-License-Identifier: MIT
"""SIGTERM in the first second of a container: what the image starts is process 1, and ends at once.

As process 1 a process gets no signal that it does not handle (pid_namespaces(7)). Where this machine lets nobody make
a PID namespace, a parent that ignores SIGTERM stands in for it: the kernel then drops the signal just so.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats.errors import NoRespondersError

from tests.image.dockerfile import exec_form, only, stages
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELAYS = range(0, 1501, 50)
"""Milliseconds after the beginning."""

AT_ONCE = 4
GONE_WITHIN = 20.0
"""Seconds. A signal that is lost never ends the process; one that is not does so in a few hundredths."""

IN_TIME = 1.0
"""Seconds in which most are gone, on a busy machine too: that is thirty times as long as it takes."""

BEGUN_WITHIN = 20.0
LOST = "lost"
COMMAND = exec_form(only(stages()[-1], "ENTRYPOINT")) + exec_form(only(stages()[-1], "CMD"))
UNSHARE = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
if os.geteuid() != 0:
    UNSHARE += ["--user", "--map-root-user"]
OWN_NAMESPACE = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False, timeout=60).returncode == 0


def _wait(reached: Callable[[], object], seconds: float) -> bool:
    patience = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > patience:
            return False
        time.sleep(0.0005)
    return True


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _status(pid: int) -> dict[str, str]:
    # proc_pid_status(5): the program's name, and the sets of signals that are blocked and handled.
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def _holds_on_to_sigterm(pid: int) -> bool:
    fields = _status(pid)
    kept = int(fields["SigBlk"], 16) | int(fields["SigCgt"], 16)
    return bool(kept >> (signal.SIGTERM - 1) & 1)


def _begun(pid: int) -> int:
    """Wait for the container's first program, as nobody is there to be told before it; return its process id."""
    if OWN_NAMESPACE:
        assert _wait(lambda: _children(pid), BEGUN_WITHIN)
        (pid,) = _children(pid)
        assert _wait(lambda: _status(pid)["Name"] != UNSHARE[0], BEGUN_WITHIN)
    # `env` blocks SIGTERM before it becomes the service; a service that was begun without is told all the same.
    _wait(lambda: _holds_on_to_sigterm(pid) or _status(pid)["Name"] != "env", BEGUN_WITHIN)
    return pid


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextmanager
def _container(url: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run what the image runs; give who waits for it, and its process id."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    outer = subprocess.Popen(
        [*UNSHARE, *COMMAND] if OWN_NAMESPACE else COMMAND,
        env={"PATH": path, "NATS_URL": url, "PORT": "0", "BIND": "127.0.0.1", "USER_REPOSITORY_TYPE": "mock"},
        stdout=subprocess.DEVNULL,
        preexec_fn=None if OWN_NAMESPACE else _ignore_sigterm,  # noqa: PLW1509 - it calls the kernel only
    )
    try:
        yield outer, _begun(outer.pid)
    finally:
        outer.kill()
        outer.wait(GONE_WITHIN)


def _ended(url: str, milliseconds: int) -> tuple[int | str, float]:
    """Send SIGTERM so long after the container has begun; return how it ended, and the seconds that took."""
    with _container(url) as (outer, pid):
        time.sleep(milliseconds / 1000)
        os.kill(pid, signal.SIGTERM)
        sent = time.monotonic()
        try:
            return outer.wait(GONE_WITHIN), time.monotonic() - sent
        except subprocess.TimeoutExpired:
            return LOST, GONE_WITHIN


def test_sigterm_at_any_moment_of_the_start_ends_the_process(nats, capsys):
    with ThreadPoolExecutor(AT_ONCE) as several:
        first = _ended(nats.url, DELAYS[0])
        assert first[0] in {0, 143}
        ends = {0: first} | dict(zip(DELAYS[1:], several.map(lambda at: _ended(nats.url, at), DELAYS[1:]), strict=True))
    times = sorted(seconds for _, seconds in ends.values())
    with capsys.disabled():
        where = "as process 1" if OWN_NAMESPACE else "where its parent ignores it (no namespace is allowed here)"
        print(f"\nSIGTERM at {len(ends)} moments of the start, {where}: gone after {times[-1]:.2f} s at most")  # noqa: T201 - a figure to see
    assert {delay: status for delay, (status, _) in ends.items() if status not in {0, 143}} == {}
    assert times[len(times) // 2] < IN_TIME


@pytest.mark.parametrize("replies", [1, 20])
async def test_sigterm_with_the_first_replies_loses_no_request_that_was_received(nats, replies):
    subject = "lfx.auth-service.username_to_sub"
    client = await connect(nats.url)
    answers: list[bytes] = []
    enough = asyncio.Event()

    async def ask() -> None:
        """Ask on and on, until nobody is there any more that was there before."""
        while True:
            try:
                answers.append((await client.request(subject, b"ada", timeout=GONE_WITHIN)).data)
                if len(answers) >= replies:
                    enough.set()
            except NoRespondersError:
                if answers:
                    return
                await asyncio.sleep(0.001)

    with _container(nats.url) as (outer, pid):
        async with client, asyncio.timeout(BEGUN_WITHIN + GONE_WITHIN), asyncio.TaskGroup() as asking:
            for _ in range(16):
                asking.create_task(ask())
            await enough.wait()
            os.kill(pid, signal.SIGTERM)
        assert await asyncio.to_thread(outer.wait, GONE_WITHIN) == 0
    assert set(answers) == {b"auth0|ada"}
