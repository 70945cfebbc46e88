# SPDX-License-Identifier: MIT
"""Callers of a service that `auth-service compare` listens to, beside those of one that nobody compares.

Three services: the old one and the new one, which are compared, and a third one apart. The callers of each send the
same at the same moments, so whatever the machine does besides is the same for all: what the callers of the old one
wait longer than those of the third is what the comparison costs them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats

from tests.benchmarks.load import Load, Order, Tally
from tests.benchmarks.processes import environment, service
from tests.support.memory import memory

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD: Final = "lfx.auth-service."
NEW: Final = "lfx.auth-service-next."
APART: Final = "lfx.auth-service-apart."
RATE: Final = 20
IN_FLIGHT: Final = 3
PAUSE: Final = 0.3
"""Callers of each subject, and the seconds that each of them waits before it asks again."""

_PATIENCE: Final = 60.0
"""Seconds for whatever is no matter of speed: on a busy machine a reply is late, and not lost."""
_START: Final = 300.0
_SETTLED: Final = 5.0
"""Seconds in which the command hears the last write."""
_NOBODY: Final = '{"success":false,"error":"user not found"}'
_SUCCESS: Final = '{"success":true'


def _user(name: str) -> str:
    return json.dumps({"user": {"auth_token": name}})


READS: Final = {
    "email_to_username": (("ada@example.org", "ada"), ("lukasz@example.net", "łukasz"), ("no@example.org", _NOBODY)),
    "email_to_sub": (("ada@example.org", "auth0|ada"), ("grace@example.org", "auth0|grace.hopper")),
    "username_to_sub": (("ada", "auth0|ada"), ("grace.hopper", "auth0|grace.hopper")),
    "user_metadata.read": (("ada", _SUCCESS), ("grace-token", _SUCCESS), ("nobody", _NOBODY)),
    "user_emails.read": ((_user("ada"), _SUCCESS), (_user("auth0|grace.hopper"), _SUCCESS)),
    "user_identity.list": ((_user("ada"), _SUCCESS), (_user("ada-token"), _SUCCESS)),
}
WRITE: Final = "user_metadata.update"
_SAME: Final = '{"token":"ada-token","user_metadata":{"city":"London"}}'


@dataclass(frozen=True)
class Callers:
    """What came of all requests to one service; times in milliseconds."""

    name: str
    requests: int
    faults: int
    p50: float
    p99: float
    slowest: float


@dataclass(frozen=True)
class Course:
    """What came of it all. `status` is that of the command, `report` what it says."""

    callers: tuple[Callers, ...]
    writes: int
    """Writes to the old service, as their caller counted them."""

    status: int
    report: dict[str, Any]
    memory: float
    """MiB that the command took at most."""

    @property
    def faults(self) -> int:
        """Requests without their one proper reply; and one when the comparison says anything but what is so."""
        same = self.status == 0 and not self.report["differences"]
        counted = self.report["passed_by"].get(WRITE, 0) == self.writes
        return sum(one.faults for one in self.callers) + (not same or not counted)


def course(url: str, directory: Path, seconds: float) -> Course:
    """Let callers ask for so many seconds while two services are compared."""
    with ExitStack() as running:
        for number, prefix in enumerate((OLD, NEW, APART)):
            folder = directory / f"comparing-{number}"
            folder.mkdir()
            names = {"SUBJECT_PREFIX": prefix, "QUEUE_GROUP": f"{prefix}queue"}
            running.enter_context(service(url, folder, **names))
        return asyncio.run(_course(url, seconds))


async def _course(url: str, seconds: float) -> Course:
    async with await nats.connect(url) as client:
        command = await _listening(client, url, seconds)
        try:
            tallies = await asyncio.gather(*(_asked(client, prefix, seconds) for prefix in (OLD, NEW, APART)))
            most = memory(command.pid, "VmHWM")
            await asyncio.sleep(_SETTLED)
            command.send_signal(signal.SIGINT)
            async with asyncio.timeout(_START):
                output, _ = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
                await command.wait()
    names = ("old, compared", "new, compared", "apart")
    callers = tuple(_of(name, one) for name, one in zip(names, tallies, strict=True))
    return Course(callers, tallies[0][-1][0].requests, command.returncode or 0, json.loads(output), most)


async def _listening(client: nats.NATS, url: str, seconds: float) -> asyncio.subprocess.Process:
    """Start the command, and return when it hears what is sent to the old service: a request that only it can hear."""
    ours = asyncio.Event()

    async def heard(_: object) -> None:
        ours.set()

    # What it hears it asks of the new service: that is the sign.
    sign = await client.subscribe(f"{NEW}username_to_sub", cb=heard)
    command = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("auth-service")),
        *("compare", "--new-prefix", NEW, "--from-traffic", f"{seconds + 120:g}s"),
        *("--rate", str(RATE), "--timeout", f"{_PATIENCE:g}s", "--format", "json"),
        env=environment(NATS_URL=url, LOG_LEVEL="error"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_START):
        while not ours.is_set():
            await client.request(f"{OLD}username_to_sub", b"ada", timeout=_START)
            await asyncio.sleep(0.1)
    await sign.unsubscribe()
    return command


async def _asked(client: nats.NATS, prefix: str, seconds: float) -> list[tuple[Tally, list[float]]]:
    orders = [
        Order(prefix + subject, "", "", IN_FLIGHT, seconds, pairs, pause=PAUSE) for subject, pairs in READS.items()
    ]
    orders.append(Order(prefix + WRITE, _SAME, _SUCCESS, 1, seconds, pause=PAUSE))
    loads = [Load(client, order, _PATIENCE) for order in orders]
    tallies = await asyncio.gather(*(load.run() for load in loads))
    return [(tally, load.latencies) for tally, load in zip(tallies, loads, strict=True)]


def _of(name: str, results: Sequence[tuple[Tally, list[float]]]) -> Callers:
    latencies = sorted(itertools.chain.from_iterable(own for _, own in results))
    faults = sum(tally.failed + tally.lost + tally.surplus for tally, _ in results)
    p50, p99, slowest = (latencies[int(share * (len(latencies) - 1))] * 1000 for share in (0.5, 0.99, 1))
    return Callers(name, sum(tally.requests for tally, _ in results), faults, p50, p99, slowest)
