# SPDX-License-Identifier: MIT
"""Replicas of `auth-service serve` as processes of their own, under load, and what becomes of the requests meanwhile.

The provider is Auth0, on the stand-in tenant with a latency: a request has to be in hand for some time, or none would
be when a replica is told to go.
"""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import nats

from tests.benchmarks.load import Load, Order, Tally
from tests.stand_ins.auth0.process import TenantProcess, tenant_process
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE
from tests.system.processes import Process, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PREFIX: Final = "lfx.auth-service."
ADDRESSES: Final = (
    '{"success":true,"data":{"primary_email":"ada@example.org","alternate_emails":['
    '{"email":"ada@lovelace.example","verified":true},{"email":"ada@unverified.example","verified":false}]}}'
)
OSLO: Final = '{"success":true,"data":{"city":"Oslo"}}'
STEADY: Final = 5.0
"""Seconds of load before the first replica goes, to compare with."""

QUICK_EVERY: Final = 0.01
"""Seconds between a reply to a request that waits for nothing and the next such request."""

_ENDLESS: Final = 3600.0


def reading(in_flight: int) -> Order:
    """Return the order to ask for a user's addresses until told to stop; each request waits for the tenant once."""
    return Order(f"{PREFIX}user_emails.read", '{"user":{"auth_token":"ada"}}', ADDRESSES, in_flight, _ENDLESS)


def writing(token: str, in_flight: int) -> Order:
    """Return the order to change a user's metadata until told to stop."""
    body = json.dumps({"token": token, "user_metadata": {"city": "Oslo"}})
    return Order(f"{PREFIX}user_metadata.update", body, OSLO, in_flight, _ENDLESS)


class Fleet:
    """Three replicas and their tenant; the oldest goes first."""

    def __init__(self, url: str, folder: Path, tenant: TenantProcess, running: ExitStack) -> None:
        """Take where NATS is, where logs may be written, the upstream, and who ends the processes."""
        self._url = url
        self._folder = folder
        self._running = running
        self.tenant = tenant
        self.replicas: list[Process] = []

    async def start(self) -> None:
        """Start one more replica; return when it is ready."""
        # What they run is covered by other tests; measuring it again would take the time of the load.
        variables = {**self.tenant.environment, "COVERAGE_PROCESS_CONFIG": ""}
        replica = self._running.enter_context(process(self._url, self._folder, **variables))
        await asyncio.to_thread(replica.until_ready)
        self.replicas.append(replica)

    async def replace_oldest(self) -> int:
        """Start a replica, end the oldest one as Kubernetes does, and return its exit status."""
        await self.start()
        return await asyncio.to_thread(self.replicas.pop(0).end, signal.SIGTERM)


@asynccontextmanager
async def three_replicas(url: str, folder: Path, latency_ms: float = 50) -> AsyncIterator[Fleet]:
    """Run three replicas while the context lasts."""
    with ExitStack() as running:
        tenant = running.enter_context(tenant_process(latency_ms=latency_ms, records=False))
        fleet = Fleet(url, folder, tenant, running)
        await asyncio.gather(*(fleet.start() for _ in range(3)))
        yield fleet


class UnderLoad:
    """Reads, writes and derived look-ups all the time while the context lasts; afterwards what came of them."""

    def __init__(self, client: nats.NATS, token: str) -> None:
        """Take the connection of whoever asks, and the token of a user whose metadata is changed."""
        self._client = client
        self._loads = [Load(client, reading(20)), Load(client, writing(token, 2))]
        self._tasks: list[asyncio.Task[Tally]] = []
        self._stop = False
        self.quick: list[bytes] = []
        self.events = 0
        self.tallies: list[Tally] = []

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return sum(load.sent for load in self._loads) + len(self.quick)

    @property
    def faults(self) -> int:
        """How many requests got no proper reply or more than one, and changes that were told never or twice."""
        counted = sum(tally.failed + tally.lost + tally.surplus for tally in self.tallies)
        counted += abs(self.events - self.tallies[1].replies)
        return counted + sum(reply != b"auth0|ada" for reply in self.quick)

    @property
    def p99(self) -> float:
        """Milliseconds in which 99 % of the reads had their reply."""
        return self.tallies[0].p99

    async def __aenter__(self) -> Self:
        """Begin."""
        self._events = await self._client.subscribe("lfx.user_profile.updated", cb=self._changed)
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
        await self._events.unsubscribe()

    async def _changed(self, _: object) -> None:
        self.events += 1

    async def _ask(self) -> None:
        """Ask what waits for nothing, one after the other; what gets no reply gets an empty one."""
        while not self._stop:
            try:
                message = await self._client.request(f"{PREFIX}username_to_sub", b"ada", timeout=PATIENCE)
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
    async with three_replicas(url, folder) as fleet, await connect(url) as client:
        token = fleet.tenant.access_token("grace.hopper")
        async with UnderLoad(client, token) as steady:
            await asyncio.sleep(STEADY)
        async with UnderLoad(client, token) as replacing:
            statuses = [await fleet.replace_oldest() for _ in range(rounds * 3)]
            while replacing.sent < at_least:  # noqa: ASYNC110 - a count of two loads has no event
                await asyncio.sleep(0.1)
    return Course(steady, replacing, statuses)
