# SPDX-License-Identifier: MIT
"""Reads of a tenant that takes few calls: as they come, and with answers that are remembered.

Three replicas; users are asked for by Zipf's law, after each replica has read each of them once. Beside the load one
user is changed in the tenant twice a second and read all the time: how long an answer had been out of date is the time
since the change that it does not show.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import json
import random
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import nats

from tests.benchmarks.load import Order
from tests.benchmarks.measure import EMAIL_TO_SUB, Work, faults, measured
from tests.benchmarks.processes import generator, service
from tests.stand_ins.auth0 import tenant_process
from tests.support.ports import nats_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.load import Tally
    from tests.benchmarks.processes import Generator, Responder
    from tests.stand_ins.auth0 import TenantProcess

RATE: Final = 15
BURST: Final = 50
LATENCY_MS: Final = 100
USERS: Final = 2_000
EXPONENT: Final = 1.1
IN_FLIGHT: Final = 64
REPLICAS: Final = 3
LEAST_SECONDS: Final = 10.0
_PROBED: Final = "user01999"
_CHANGE_EVERY: Final = 0.5
_SUBJECT: Final = "lfx.auth-service.email_to_sub"
_PAIRS: Final = 20_000
_MOST_PASSES: Final = 12
_PASS_SECONDS: Final = 4.0
_FEW_CALLS: Final = 20
_STANDS_WITHIN: Final = 60.0

WAYS: Final = {
    "nothing remembered": {"READ_STALE_FOR": "0"},
    "as it comes": {},
    "READ_FRESH_FOR=30s": {"READ_FRESH_FOR": "30s"},
    "with events": {"AUTH0_EVENTS": "true"},
}
"""Rows, with the variables of each."""


@dataclass(frozen=True)
class Row:
    """What came of one way; times in milliseconds."""

    name: str
    good: float
    errors: int
    calls: float
    p50: float
    p99: float
    oldest: float
    """Seconds for which an answer of all that were looked at had been out of date at most."""

    lost: int


@dataclass(frozen=True)
class Cost:
    """What a read costs that is remembered: CPU in microseconds, and the ratio to the mock's of the same round."""

    name: str
    cpu: float
    mock: float
    ratio: float
    faults: int


def _read(subject: str, body: str) -> Work:
    return Work("", subject, f"lfx.auth-service.{subject}", body, '{"success":true')


READS: Final = (
    EMAIL_TO_SUB,
    _read("user_metadata.read", "ada"),
    _read("user_emails.read", '{"user":{"auth_token":"ada"}}'),
)


def costs(directory: Path, rounds: int, seconds: float) -> Iterator[Cost]:
    """Measure reads that are remembered, in turn with the same ones on the mock provider."""
    with ExitStack() as stack:
        tenant = stack.enter_context(tenant_process(records=False))
        sides = []
        for variables in ({**tenant.environment, "READ_FRESH_FOR": "1h"}, {}):
            url = stack.enter_context(nats_server()).url
            sides.append(
                (stack.enter_context(generator(url)), stack.enter_context(service(url, directory, **variables)))
            )
        for work in READS:
            warm = [load.run(work.order(IN_FLIGHT, 0.5)) for load, _ in sides]
            seen = [[measured(load, work.order(IN_FLIGHT, seconds), one) for load, one in sides] for _ in range(rounds)]
            yield Cost(
                work.name,
                median(product.cpu for product, _ in seen),
                median(mock.cpu for _, mock in seen),
                median(product.cpu / mock.cpu for product, mock in seen),
                sum(map(faults, warm)) + sum(faults(one.tally) for both in seen for one in both),
            )


def rows(url: str, directory: Path, seconds: float) -> Iterator[Row]:
    """Measure each way for so many seconds."""
    for name, variables in WAYS.items():
        with ExitStack() as stack:
            events = {"events": True} if "AUTH0_EVENTS" in variables else {}
            tenant = stack.enter_context(tenant_process(latency_ms=LATENCY_MS, users=USERS, records=False, **events))
            given = {**tenant.environment, **variables}
            fleet = [stack.enter_context(service(url, directory, **given)) for _ in range(REPLICAS)]
            load = stack.enter_context(generator(url))
            if events:
                tenant.do(events={"heartbeat": 1.0})
                _until_it_stands(fleet)
            _warm(load, tenant)
            tenant.do(bucket={"rate": RATE, "burst": BURST})
            before, began = _calls(tenant), time.perf_counter()
            load.begin(_by_zipf(seconds))
            oldest = asyncio.run(_probed(url, tenant, seconds))
            tally = load.end()
            yield _row(name, tally, (_calls(tenant) - before) / (time.perf_counter() - began), oldest)


def _until_it_stands(fleet: list[Responder]) -> None:
    """Wait until every replica knows that the tenant's events are followed."""
    deadline = time.monotonic() + _STANDS_WITHIN
    for replica in fleet:
        while True:
            with urllib.request.urlopen(f"http://127.0.0.1:{replica.port}/metrics", timeout=5) as page:
                if b"\nauth_service_auth0_events_stands 1.0" in page.read():
                    break
            if time.monotonic() > deadline:
                raise RuntimeError("the tenant's events are not followed")
            time.sleep(0.1)


def _warm(load: Generator, tenant: TenantProcess) -> None:
    """Read every user without a limit, until each replica has, or for long enough."""
    for _ in range(_MOST_PASSES):
        before = _calls(tenant)
        load.run(_each_once())
        if _calls(tenant) - before < _FEW_CALLS:
            break


def _row(name: str, tally: Tally, calls: float, oldest: float) -> Row:
    good = (tally.replies - tally.failed) / tally.seconds
    return Row(name, good, tally.failed, calls, tally.p50, tally.p99, oldest, tally.lost + tally.surplus)


async def _probed(url: str, tenant: TenantProcess, seconds: float) -> float:
    """Change a user and read it, for so long; return for how long the oldest answer had been out of date."""
    until, oldest = time.monotonic() + seconds, 0.0
    changed: list[float] = []

    async def change() -> None:
        while time.monotonic() < until:
            city = str(len(changed))
            await asyncio.to_thread(tenant.do, change={_PROBED: {"user_metadata": {"city": city}}})
            changed.append(time.monotonic())
            await asyncio.sleep(_CHANGE_EVERY)

    async with await nats.connect(url) as client:
        changing = asyncio.create_task(change())
        while time.monotonic() < until:
            reply = await client.request("lfx.auth-service.user_metadata.read", _PROBED.encode(), timeout=15)
            city = json.loads(reply.data).get("data", {}).get("city", "")
            superseded = (0 if city == "Oslo" else int(city) + 1) if city else len(changed)
            if superseded < len(changed):
                oldest = max(oldest, time.monotonic() - changed[superseded])
            await asyncio.sleep(0.05)
        await changing
    return oldest


def _calls(tenant: TenantProcess) -> int:
    return sum(count for name, count in tenant.stats()["calls"].items() if name.startswith("users"))


def _pair(number: int) -> tuple[str, str]:
    return f"user{number:05}@example.org", f"auth0|user{number:05}"


def _each_once() -> Order:
    pairs = tuple(_pair(number) for number in range(USERS))
    return Order(_SUBJECT, "", "", IN_FLIGHT, _PASS_SECONDS, pairs)


def _by_zipf(seconds: float) -> Order:
    """Return the order for users of whom the n-th is asked for in proportion to n to the power of -1.1."""
    shares = list(itertools.accumulate(number**-EXPONENT for number in range(1, USERS + 1)))
    chance = random.Random(1)
    drawn = (bisect.bisect(shares, chance.random() * shares[-1]) for _ in range(_PAIRS))
    return Order(_SUBJECT, "", "", IN_FLIGHT, seconds, tuple(_pair(min(number, USERS - 1)) for number in drawn))
