# SPDX-License-Identifier: MIT
"""What telemetry costs: the same requests to a service without any, one that counts, and one that exports besides.

Each has a nats-server and a load generator of its own, so that all stand ready and take turns, second by second.
"""

from __future__ import annotations

import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING

from tests.benchmarks.measure import USERNAME_TO_SUB, faults, measured
from tests.benchmarks.processes import generator, service
from tests.support.collector import http_collector
from tests.support.ports import nats_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.measure import Round
    from tests.benchmarks.processes import Generator, Responder
    from tests.support.collector import Collector

IN_FLIGHT = 64
_RATIO = "0.1"
_SCRAPE_INTERVAL = 1.0
"""Seconds; Prometheus itself asks every 15 or 30."""

NONE, COUNTED, TRACED = "no telemetry at all", "metrics (always on)", "metrics scraped, 0.1 of the requests traced"


@dataclass(frozen=True)
class Cost:
    """The medians of one way to run the service; ratios are to another way in the same round.

    `ratio` and `worst` are to the service without telemetry, `of_counted` is to the one without exporters.
    """

    name: str
    per_second: float
    ratio: float
    worst: float
    of_counted: float
    cpu: float
    cpu_ratio: float
    faults: int


@dataclass(frozen=True)
class Told:
    """How many requests the service that traces got, and how many spans came to the collector."""

    requests: int
    spans: int


def costs(directory: Path, rounds: int, seconds: float) -> tuple[list[Cost], Told]:
    """Measure all three, round by round."""
    with ExitStack() as stack:
        collector = stack.enter_context(http_collector())
        responders = {
            NONE: _started(stack, directory / "none", module="tests.benchmarks.untold"),
            COUNTED: _started(stack, directory / "counted"),
            TRACED: _started(stack, directory / "traced", **_variables(collector)),
        }
        stack.enter_context(_scraped(responders[TRACED][0].port))
        for _, load in responders.values():
            load.run(USERNAME_TO_SUB.order(IN_FLIGHT, min(0.5, seconds)))
        seen: dict[str, list[Round]] = {name: [] for name in responders}
        for number in range(rounds):
            # Back and forth, so that none always comes first.
            for name, (responder, load) in list(responders.items())[:: 1 if number % 2 else -1]:
                seen[name].append(measured(load, USERNAME_TO_SUB.order(IN_FLIGHT, seconds), responder))
        requests = sum(round_.tally.requests for round_ in seen[TRACED])
    spans = len(collector.spans)
    return [_cost(name, seen) for name in seen], Told(requests, spans)


def _variables(collector: Collector) -> dict[str, str]:
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": _RATIO,
    }


def _started(stack: ExitStack, directory: Path, module: str = "", **variables: str) -> tuple[Responder, Generator]:
    directory.mkdir()
    url = stack.enter_context(nats_server()).url
    responder = stack.enter_context(service(url, directory, module=module, **variables))
    return responder, stack.enter_context(generator(url))


@contextmanager
def _scraped(port: int) -> Iterator[None]:
    """Read `/metrics` every second while the context lasts."""
    over = Event()

    def scrape() -> None:
        while not over.wait(_SCRAPE_INTERVAL):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
                response.read()

    thread = Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        time.sleep(0.1)


def _cost(name: str, seen: dict[str, list[Round]]) -> Cost:
    results = seen[name]
    ratios = _ratios(results, seen[NONE])
    return Cost(
        name,
        median(result.tally.per_second for result in results),
        median(ratios),
        min(ratios),
        median(_ratios(results, seen[COUNTED])),
        median(result.cpu for result in results),
        median(result.cpu / other.cpu for result, other in zip(results, seen[NONE], strict=True)),
        sum(faults(result.tally) for result in results),
    )


def _ratios(results: list[Round], others: list[Round]) -> list[float]:
    return [result.tally.per_second / other.tally.per_second for result, other in zip(results, others, strict=True)]
