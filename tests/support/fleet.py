"""Replicas of the service as processes of their own, under load, and what becomes of the requests meanwhile.

The replicas run what `auth-service serve` runs, on the slow mock: a request has to be in hand for some time, or none
would be when a replica is told to go.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import nats

from tests.benchmarks.load import Load, Order, Tally
from tests.system.processes import SLOW, Process, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PREFIX: Final = "lfx.auth-service."
NO_MAIL: Final = '{"success":true,"data":{"name":"No Mail"}}'
NO_ADDRESSES: Final = '{"success":true,"data":{"primary_email":"","alternate_emails":[]}}'
STEADY: Final = 5.0
"""Seconds of load before the first replica goes, to compare with."""

QUICK_EVERY: Final = 0.01
"""Seconds between a reply to a request that waits for nothing and the next such request."""


def orders() -> tuple[Order, ...]:
    """Return what is asked all the time: requests that wait for 50 ms, and others for 20 ms."""
    return (
        Order(f"{PREFIX}user_metadata.read", "0.05:nomail", NO_MAIL, 40, 3600),
        Order(f"{PREFIX}user_emails.read", '{"user":{"auth_token":"0.02:nomail"}}', NO_ADDRESSES, 8, 3600),
    )


class Fleet:
    """Three replicas; the oldest goes first."""

    def __init__(self, url: str, folder: Path, running: ExitStack) -> None:
        """Take where NATS is, where logs may be written, and who ends the processes."""
        self._url = url
        self._folder = folder
        self._running = running
        self.replicas: list[Process] = []

    async def start(self) -> None:
        """Start one more replica; return when it is ready."""
        replica = self._running.enter_context(process(self._url, self._folder, SLOW, COVERAGE_PROCESS_CONFIG=""))
        await asyncio.to_thread(replica.until_ready)
        self.replicas.append(replica)

    async def replace_oldest(self) -> int:
        """Start a replica, end the oldest one as Kubernetes does, and return its exit status."""
        await self.start()
        return await asyncio.to_thread(self.replicas.pop(0).end, signal.SIGTERM)


@asynccontextmanager
async def three_replicas(url: str, folder: Path) -> AsyncIterator[Fleet]:
    """Run three replicas while the context lasts."""
    with ExitStack() as running:
        fleet = Fleet(url, folder, running)
        for _ in range(3):
            await fleet.start()
        yield fleet


class UnderLoad:
    """Requests that come all the time while the context lasts; `tallies` afterwards say what came of them."""

    def __init__(self, client: nats.NATS) -> None:
        """Take the connection of whoever asks."""
        self._client = client
        self._loads = [Load(client, order) for order in orders()]
        self._tasks: list[asyncio.Task[Tally]] = []
        self._stop = False
        self.quick: list[bytes] = []
        self.tallies: list[Tally] = []

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return sum(load.sent for load in self._loads) + len(self.quick)

    @property
    def faults(self) -> int:
        """How many requests got no proper reply, or more than one."""
        counted = sum(tally.failed + tally.lost + tally.surplus for tally in self.tallies)
        return counted + sum(reply != b"auth0|ada" for reply in self.quick)

    @property
    def p99(self) -> float:
        """Milliseconds in which 99 % of the requests that wait for 50 ms had their reply."""
        return self.tallies[0].p99

    async def __aenter__(self) -> Self:
        """Begin."""
        self._tasks = [asyncio.create_task(load.run()) for load in self._loads]
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send nothing more; wait for the last reply, or for as long as one may take."""
        for load in self._loads:
            load.stop()
        self._stop = True
        self.tallies = list(await asyncio.gather(*self._tasks))
        await self._asking

    async def _ask(self) -> None:
        """Ask what waits for nothing, one after the other; what gets no reply gets an empty one."""
        while not self._stop:
            try:
                message = await self._client.request(f"{PREFIX}username_to_sub", b"ada", timeout=10)
                self.quick.append(message.data)
            except (TimeoutError, nats.errors.Error):
                self.quick.append(b"")
            await asyncio.sleep(QUICK_EVERY)


@dataclass(frozen=True)
class Course:
    """What came of the requests before and during the replacements, and how the replaced processes ended."""

    steady: UnderLoad
    replacing: UnderLoad
    statuses: list[int]


async def replaced_under_load(url: str, folder: Path, rounds: int, at_least: int = 0) -> Course:
    """Replace each of three replicas `rounds` times under load; go on until so many requests were sent."""
    async with three_replicas(url, folder) as fleet, await nats.connect(url) as client:
        async with UnderLoad(client) as steady:
            await asyncio.sleep(STEADY)
        async with UnderLoad(client) as replacing:
            statuses = [await fleet.replace_oldest() for _ in range(rounds * 3)]
            while replacing.sent < at_least:  # noqa: ASYNC110 - a count of two loads has no event
                await asyncio.sleep(0.1)
    return Course(steady, replacing, statuses)
