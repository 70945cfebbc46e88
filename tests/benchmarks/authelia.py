# SPDX-License-Identifier: MIT
"""The Authelia provider on NATS Key-Value, and the very same requests on the mock, round by round.

Each has a nats-server and a load generator of its own, so that both stand ready and take turns. What stands in for
Authelia, Kubernetes and the mail server runs in a further process. The users come out of the users file: the service
itself puts them into storage when it starts, and synchronises after changes as it always does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import nats
import yaml

from tests.benchmarks.measure import ECHO, Round, Work, faults, measured
from tests.benchmarks.processes import cpu_seconds, echo, generator, service
from tests.stand_ins.authelia import authelia_process
from tests.support.ports import nats_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.cli.dev.nats_server import NatsServer
    from tests.benchmarks.processes import Generator, Responder
    from tests.stand_ins.authelia import AutheliaProcess

IN_FLIGHT = 64
USERS = 128
"""Twice what is in flight, taken in turn: no two requests at once are for the same user."""

_VALUES = 8
_ONE_USERS_VALUES = 1_000
_CITY = "Oslo"
_PATIENCE = 30.0
_PREFIX = "lfx.auth-service."
_SUCCESS = '{"success":true'
_NAMES = tuple(f"user{number:03}" for number in range(USERS))


def _updates(users: tuple[str, ...], values: int) -> tuple[tuple[str, str], ...]:
    """Return requests of which none repeats the one before it to the same user."""
    bodies = (
        json.dumps({"token": f"authelia_at_{user}", "user_metadata": {"city": f"{_CITY} {value}"}})
        for value in range(values)
        for user in users
    )
    return tuple((body, _SUCCESS) for body in bodies)


def _of(subject: str, remark: str, pairs: tuple[tuple[str, str], ...]) -> Work:
    return Work("authelia", subject + remark, _PREFIX + subject, "", "", pairs)


EMAIL_TO_SUB = _of("email_to_sub", "", tuple((f"{name}@example.org", f"auth0|{name}") for name in _NAMES))
READ_BY_NAME = _of("user_metadata.read", " by username", tuple((name, _SUCCESS) for name in _NAMES))
READ_BY_SUBJECT = _of("user_metadata.read", " by subject", tuple((f"auth0|{name}", _SUCCESS) for name in _NAMES))
READ_BY_TOKEN = _of("user_metadata.read", " by token", tuple((f"authelia_at_{name}", _SUCCESS) for name in _NAMES))
UPDATE = _of("user_metadata.update", "", _updates(_NAMES, _VALUES))
UPDATE_ONE = _of("user_metadata.update", ", one user", _updates(_NAMES[:1], _ONE_USERS_VALUES))
WORKS = (EMAIL_TO_SUB, READ_BY_NAME, READ_BY_SUBJECT, READ_BY_TOKEN, UPDATE, UPDATE_ONE)


@dataclass(frozen=True)
class Side:
    """One provider's service, and the nats-server and the load generator that it has to itself."""

    server: NatsServer
    service: Responder
    load: Generator


@dataclass(frozen=True)
class Place:
    """The processes of this measurement. The echo stands on the mock's nats-server."""

    authelia: Side
    mock: Side
    echo: Responder
    around: AutheliaProcess


@dataclass(frozen=True)
class Row:
    """Medians of all rounds of one kind of request; ratios are to the mock, or the echo, of the same round.

    CPU in microseconds per request. `server_busy` and `around_busy`: the parts of a core that nats-server and the
    stand-ins took. `conflicts`: writes per request that came too late and were tried again. A change that was
    answered with success and is not in the bucket, and a write too many, are among the faults.
    """

    name: str
    per_second: float
    ratio: float
    p50: float
    p99: float
    cpu: float
    cpu_ratio: float
    echo_ratio: float
    mock_per_second: float
    server_busy: float
    around_busy: float
    conflicts: float
    faults: int


@contextmanager
def place(directory: Path) -> Iterator[Place]:
    """Run both services, what stands around Authelia's, the echo and two load generators."""
    with ExitStack() as stack:
        around = stack.enter_context(authelia_process(more_users=_NAMES))
        authelia = _side(stack, directory / "authelia", USER_REPOSITORY_TYPE="authelia", **around.environment)
        mock = _side(stack, directory / "mock", MOCK_USERS_FILE=_users_file(directory))
        yardstick = stack.enter_context(echo(mock.server.url, directory))
        _wait_until_synchronised(authelia.service.port)
        yield Place(authelia, mock, yardstick, around)


def _side(stack: ExitStack, directory: Path, **variables: str) -> Side:
    directory.mkdir()
    server = stack.enter_context(nats_server())
    responder = stack.enter_context(service(server.url, directory, **variables))
    return Side(server, responder, stack.enter_context(generator(server.url)))


def _users_file(directory: Path) -> str:
    """Give the mock the users and tokens that the stand-ins know."""
    path = directory / "users.yaml"
    users = [
        {"username": name, "primary_email": f"{name}@example.org", "token": f"authelia_at_{name}"} for name in _NAMES
    ]
    path.write_text(yaml.safe_dump({"users": users}), encoding="utf-8")
    return str(path)


def _wait_until_synchronised(port: int) -> None:
    """Wait until every user of the users file is in storage, and what that set off is over."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if _metric(port, "sync_last_success_timestamp_seconds") and not _metric(port, "sync_pending_changes"):
            return
        time.sleep(0.05)
    raise RuntimeError("the users did not come into storage")


def _metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(f"auth_service_{name} "))


def rows(at: Place, rounds: int, seconds: float, works: tuple[Work, ...] = WORKS) -> Iterator[Row]:
    """Measure one kind of request after the other."""
    for work in works:
        warm_up = [side.load.run(anew(work).order(IN_FLIGHT, min(0.5, seconds))) for side in (at.authelia, at.mock)]
        at.mock.load.run(ECHO.order(IN_FLIGHT, min(0.2, seconds)))
        seen = [_round(at, work, seconds) for _ in range(rounds)]
        yield _row(work, seen, sum(faults(tally) for tally in warm_up))


@dataclass(frozen=True)
class _Seen:
    product: Round
    mock: Round
    yardstick: Round
    server_busy: float
    around_busy: float
    conflicts: float
    amiss: int
    """How far the writes are from what they should be."""


_turn = itertools.count()


def anew(work: Work) -> Work:
    """Return the requests with values that were never sent before, since what changes nothing is not written."""
    city = f"{_CITY} {next(_turn)}"
    return replace(work, pairs=tuple((body.replace(_CITY, city), expected) for body, expected in work.pairs))


def written(server: NatsServer) -> int:
    """Return how often something was written to the users' bucket."""

    async def ask() -> int:
        async with await nats.connect(server.url) as client:
            return (await client.jetstream().stream_info("KV_authelia-users")).state.last_seq

    return asyncio.run(ask())


def _round(at: Place, work: Work, seconds: float) -> _Seen:
    yardstick = measured(at.mock.load, ECHO.order(IN_FLIGHT, seconds), at.echo)
    mock = measured(at.mock.load, work.order(IN_FLIGHT, seconds), at.mock.service)
    port, work = at.authelia.service.port, anew(work)
    conflicts, writes = _metric(port, "kv_conflicts_total"), written(at.authelia.server)
    pids = (at.authelia.server.pid, at.around.pid)
    before, began = [cpu_seconds(pid) for pid in pids], time.perf_counter()
    product = measured(at.authelia.load, work.order(IN_FLIGHT, seconds), at.authelia.service)
    wall = time.perf_counter() - began
    server, around = ((cpu_seconds(pid) - used) / wall for pid, used in zip(pids, before, strict=True))
    conflicts = (_metric(port, "kv_conflicts_total") - conflicts) / max(1, product.tally.replies)
    wanted = product.tally.replies - product.tally.failed if work.name in (UPDATE.name, UPDATE_ONE.name) else 0
    amiss = abs(written(at.authelia.server) - writes - wanted)
    return _Seen(product, mock, yardstick, server, around, conflicts, amiss)


def _row(work: Work, seen: list[_Seen], faults_before: int) -> Row:
    tallies = [one.product.tally for one in seen]
    return Row(
        work.name,
        median(tally.per_second for tally in tallies),
        median(one.product.tally.per_second / one.mock.tally.per_second for one in seen),
        median(tally.p50 for tally in tallies),
        median(tally.p99 for tally in tallies),
        median(one.product.cpu for one in seen),
        median(one.product.cpu / one.mock.cpu for one in seen),
        median(one.product.cpu / one.yardstick.cpu for one in seen),
        median(one.mock.tally.per_second for one in seen),
        median(one.server_busy for one in seen),
        median(one.around_busy for one in seen),
        median(one.conflicts for one in seen),
        faults_before + sum(one.amiss + faults(one.product.tally) + faults(one.mock.tally) for one in seen),
    )
