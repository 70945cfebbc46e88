# SPDX-License-Identifier: MIT
"""The Auth0 provider on a tenant with latency: how much waiting goes on at once, and what each request costs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.measure import ECHO, Round, Work, faults, measured
from tests.benchmarks.processes import cpu_seconds, echo, generator, service
from tests.stand_ins.auth0 import tenant_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.load import Tally
    from tests.benchmarks.processes import Generator, Responder
    from tests.stand_ins.auth0 import TenantProcess

IN_FLIGHT = (16, 64, 256)
LATENCY_MS = 100
IDENTICAL = 50
MOST_CALLS = 2
"""Calls that the tenant may see of identical reads at once."""

_IDENTICAL_LATENCY_MS = 300
_ADDRESSES = 10_000
_LEAST_SECONDS = 4.0
"""What waits is measured for forty latencies: in ten, the bunch that all begin in would still be a tenth of it."""
_TOKENS = 128
_TOKENS_IN_FLIGHT = 64
_PREFIX = "lfx.auth-service."
_SUCCESS = '{"success":true'

DISTINCT = Work(
    "auth0",
    "email_to_sub, distinct",
    f"{_PREFIX}email_to_sub",
    "",
    "",
    tuple((f"user{n:05}@example.org", f"auth0|user{n:05}") for n in range(_ADDRESSES)),
)
SAME = Work("auth0", "user_metadata.read, alike", f"{_PREFIX}user_metadata.read", "auth0|ada", _SUCCESS)


@dataclass(frozen=True)
class Place:
    """The processes of this measurement."""

    tenant: TenantProcess
    service: Responder
    echo: Responder
    load: Generator


@dataclass(frozen=True)
class Waiting:
    """Medians of all rounds with so many in flight.

    CPU in microseconds per request; `cpu_ratio` is to the echo of the same round. `tenant_busy`: the part of a core
    that the tenant took, which near 1 would be what holds everybody up.
    """

    name: str
    in_flight: int
    per_second: float
    p50: float
    p99: float
    cpu: float
    cpu_ratio: float
    tenant_cpu: float
    tenant_busy: float
    faults: int

    @property
    def share(self) -> float:
        """The part of what in flight ÷ latency allows."""
        return self.per_second * LATENCY_MS / 1000 / self.in_flight

    @property
    def per_core(self) -> float:
        """Requests per second for which the service would need the whole of one core."""
        return 1e6 / self.cpu


@dataclass(frozen=True)
class Identical:
    """What the tenant saw of identical reads at once."""

    calls: int
    tally: Tally

    @property
    def faults(self) -> int:
        """Requests without a proper reply, and calls that were one too many."""
        return faults(self.tally) + max(0, self.calls - MOST_CALLS)


@contextmanager
def place(url: str, directory: Path, users: int = _ADDRESSES) -> Iterator[Place]:
    """Run the tenant, the service on it, the echo and a load generator."""
    with (
        tenant_process(latency_ms=LATENCY_MS, users=users, records=False) as tenant,
        echo(url, directory) as yardstick,
        service(url, directory, **tenant.environment) as product,
        generator(url) as load,
    ):
        yield Place(tenant, product, yardstick, load)


def waiting(at: Place, in_flight: int, rounds: int, seconds: float) -> Waiting:
    """Measure requests that each wait for the tenant once."""
    return _rounds(at, DISTINCT, in_flight, rounds, max(seconds, _LEAST_SECONDS))


def reading(at: Place, rounds: int, seconds: float, tokens: int = _TOKENS) -> Waiting:
    """Measure reads with valid tokens of different users, on a tenant without latency."""
    at.tenant.do(latency_ms=0)
    bodies = tuple((at.tenant.access_token(f"user{n:05}", lifetime=86_400), _SUCCESS) for n in range(tokens))
    work = Work("auth0", "metadata.read by token", f"{_PREFIX}user_metadata.read", "", "", bodies)
    return _rounds(at, work, _TOKENS_IN_FLIGHT, rounds, seconds)


def identical(at: Place) -> Identical:
    """Send identical reads at once, to a tenant that takes its time."""
    at.tenant.do(latency_ms=_IDENTICAL_LATENCY_MS)
    before = _calls(at.tenant)
    tally = at.load.run(SAME.order(IDENTICAL))
    return Identical(_calls(at.tenant) - before, tally)


def _calls(tenant: TenantProcess) -> int:
    return int(tenant.stats()["calls"].get("users.get", 0))


@dataclass(frozen=True)
class _Seen:
    product: Round
    yardstick: Round
    tenant_seconds: float
    wall_seconds: float


def _rounds(at: Place, work: Work, in_flight: int, rounds: int, seconds: float) -> Waiting:
    warm_up = [at.load.run(work.order(in_flight, 0.5)), at.load.run(ECHO.order(in_flight, 0.2))]
    seen = [_round(at, work, in_flight, seconds) for _ in range(rounds)]
    tallies = [one.product.tally for one in seen]
    return Waiting(
        work.name,
        in_flight,
        median(tally.per_second for tally in tallies),
        median(tally.p50 for tally in tallies),
        median(tally.p99 for tally in tallies),
        median(one.product.cpu for one in seen),
        median(one.product.cpu / one.yardstick.cpu for one in seen),
        median(one.tenant_seconds / max(1, one.product.tally.replies) * 1e6 for one in seen),
        median(one.tenant_seconds / one.wall_seconds for one in seen),
        sum(faults(tally) for tally in [*warm_up, *tallies]),
    )


def _round(at: Place, work: Work, in_flight: int, seconds: float) -> _Seen:
    yardstick = measured(at.load, ECHO.order(in_flight, seconds), at.echo)
    tenant, began = cpu_seconds(at.tenant.pid), time.perf_counter()
    product = measured(at.load, work.order(in_flight, seconds), at.service)
    return _Seen(product, yardstick, cpu_seconds(at.tenant.pid) - tenant, time.perf_counter() - began)
