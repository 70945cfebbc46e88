# SPDX-License-Identifier: MIT
"""What is measured, and how: every subject in turn with the yardstick, over and over, and the medians of that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.echo import SUBJECT
from tests.benchmarks.load import Order, Tally
from tests.benchmarks.processes import cpu_seconds, generator, service
from tests.support.memory import memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.processes import Generator, Responder

IN_FLIGHT = (1, 64, 256)
_PREFIX = "lfx.auth-service."
_SUCCESS = '{"success":true'


@dataclass(frozen=True)
class Work:
    """One kind of request, and how the proper reply to it begins; with `pairs`, many that differ."""

    part: str
    name: str
    subject: str
    body: str
    expected: str
    pairs: tuple[tuple[str, str], ...] = ()

    def order(self, in_flight: int, seconds: float = 0.0) -> Order:
        """Return the order to send it `in_flight` at a time for some seconds, or that often at once."""
        return Order(self.subject, self.body, self.expected, in_flight, seconds, self.pairs)


def _of(part: str, subject: str, body: str, expected: str, remark: str = "") -> Work:
    return Work(part, subject + remark, _PREFIX + subject, body, expected)


ECHO = Work("", "echo (nats-py)", SUBJECT, "ada", "ada")
USERNAME_TO_SUB = _of("lookups", "username_to_sub", "ada", "auth0|ada")
EMAIL_TO_SUB = _of("lookups", "email_to_sub", "ada@example.org", "auth0|ada")
EMAILS_READ = _of("emails", "user_emails.read", '{"user":{"auth_token":"ada-token"}}', _SUCCESS)
METADATA_READ = _of("metadata", "user_metadata.read", "ada-token", _SUCCESS)
METADATA_UPDATE = _of(
    "metadata", "user_metadata.update", '{"token":"ada-token","user_metadata":{"city":"Oslo"}}', _SUCCESS
)
NOBODYS = _of(
    "refused", "email_to_sub", "nobody@example.org", '{"success":false,"error":"user not found"}', ", nobody's"
)
WORKS = (USERNAME_TO_SUB, EMAIL_TO_SUB, EMAILS_READ, METADATA_READ, METADATA_UPDATE, NOBODYS)


def slow(seconds: float) -> Work:
    """Return a request that takes the slow mock as many seconds."""
    return _of("", "user_metadata.read", f"{seconds}:ada", _SUCCESS, f" of {seconds:g} s")


@dataclass(frozen=True)
class Round:
    """One measurement: what the generator counted, and the responder's CPU time per request in microseconds."""

    tally: Tally
    cpu: float


@dataclass(frozen=True)
class Row:
    """The medians of all rounds of one kind of request; the ratios compare with the echo of the same round."""

    name: str
    in_flight: int
    per_second: float
    ratio: float
    p50: float
    p99: float
    cpu: float
    cpu_ratio: float
    faults: int


def measured(load: Generator, order: Order, responder: Responder) -> Round:
    """Carry out one order."""
    before = cpu_seconds(responder.pid)
    tally = load.run(order)
    return Round(tally, (cpu_seconds(responder.pid) - before) / max(1, tally.replies) * 1e6)


def throughput(
    load: Generator, responders: tuple[Responder, Responder], works: list[Work], rounds: int, seconds: float
) -> Iterator[list[Row]]:
    """Yield the rows of each number in flight; `responders` are the echo and the service."""
    yardstick, product = responders
    for work in (ECHO, *works):
        load.run(work.order(64, 0.5))  # not counted: whatever is made on first use is made here
    for in_flight in IN_FLIGHT:
        seen: dict[Work, list[Round]] = {work: [] for work in (ECHO, *works)}
        for _ in range(rounds):
            for work, results in seen.items():
                responder = yardstick if work is ECHO else product
                results.append(measured(load, work.order(in_flight, seconds), responder))
        yield [_row(work, in_flight, results, seen[ECHO]) for work, results in seen.items()]


def _row(work: Work, in_flight: int, results: list[Round], echoes: list[Round]) -> Row:
    tallies = [result.tally for result in results]
    pairs = list(zip(results, echoes, strict=True))
    return Row(
        work.name,
        in_flight,
        median(tally.per_second for tally in tallies),
        median(result.tally.per_second / echo.tally.per_second for result, echo in pairs),
        median(tally.p50 for tally in tallies),
        median(tally.p99 for tally in tallies),
        median(result.cpu for result in results),
        median(result.cpu / echo.cpu for result, echo in pairs),
        sum(faults(tally) for tally in tallies),
    )


def faults(tally: Tally) -> int:
    """Return how many requests got no proper reply, or more than one."""
    return tally.failed + tally.lost + tally.surplus


def starts(url: str, directory: Path, times: int) -> list[float]:
    """Return the seconds from start to ready, of so many starts."""
    found = []
    for _ in range(times):
        with service(url, directory) as responder:
            found.append(responder.start)
    return found


@dataclass(frozen=True)
class HeadOfLine:
    """Milliseconds in which 99 % of one subject's requests were answered, alone and beside slow ones to another."""

    name: str
    alone: float
    beside: float
    slow_requests: int
    faults: int


def head_of_line(url: str, directory: Path, rounds: int, seconds: float) -> Iterator[HeadOfLine]:
    """Measure quick subjects while 256 requests of two seconds each are on their way to another."""
    with service(url, directory, slow=True) as _, generator(url) as load, generator(url) as slow_load:
        for work in (USERNAME_TO_SUB, EMAIL_TO_SUB):
            load.run(work.order(64, 0.5))
            alone = [load.run(work.order(64, seconds)) for _ in range(rounds)]
            slow_load.begin(slow(2).order(256, rounds * seconds + 0.5))
            time.sleep(0.25)  # until all 256 are on their way
            beside = [load.run(work.order(64, seconds)) for _ in range(rounds)]
            held = slow_load.end()
            yield HeadOfLine(
                work.name,
                median(tally.p99 for tally in alone),
                median(tally.p99 for tally in beside),
                held.replies,
                sum(faults(tally) for tally in (*alone, *beside, held)),
            )


@dataclass(frozen=True)
class Memory:
    """The service's memory in MiB after something was done, and the most it ever had; and what came of requests."""

    after: str
    now: float
    peak: float
    tally: Tally | None = None


def memory_use(url: str, directory: Path, count: int) -> Iterator[Memory]:
    """Measure memory: idle, loaded, and when `count` requests are published at once, several times over."""
    with service(url, directory) as responder, generator(url) as load:
        time.sleep(1)
        yield _memory("start, idle", responder)
        for work in WORKS:
            load.run(work.order(256, 1.0))
        yield _memory("a second of every subject, 256 in flight", responder)
        for work in (USERNAME_TO_SUB, EMAILS_READ):
            for time_ in (1, 2, 3):
                yield _burst(load, work, count, responder, f" ({time_})")
    with service(url, directory, slow=True) as responder, generator(url) as load:
        for time_ in (1, 2, 3):
            yield _burst(load, slow(0.02), count, responder, f" ({time_})")


def _burst(load: Generator, work: Work, count: int, responder: Responder, remark: str) -> Memory:
    tally = load.run(work.order(count))
    time.sleep(0.5)
    return _memory(f"{count:,} of {work.name}{remark}", responder, tally)


def _memory(after: str, responder: Responder, tally: Tally | None = None) -> Memory:
    return Memory(after, memory(responder.pid), memory(responder.pid, "VmHWM"), tally)
