# SPDX-License-Identifier: MIT
"""`python -m tests.benchmarks`: measures the service over a real nats-server and prints what was seen.

The exit status is 1 when a request went without its one proper reply. Figures decide nothing: they depend on the
machine, and on what else it does; `docs/benchmarks.md` says how to read them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.benchmarks import auth0, authelia, comparing, hostile, measure, remembering, telemetry
from tests.benchmarks.processes import echo, generator, service
from tests.support.fleet import replaced_under_load
from tests.support.ports import nats_server

PARTS = (
    "start",
    "lookups",
    "emails",
    "metadata",
    "refused",
    "head-of-line",
    "telemetry",
    "memory",
    "restarts",
    "auth0",
    "authelia",
    "hostile",
    "remembering",
    "comparing",
)


def main() -> int:  # noqa: C901 - one question for each part
    """Measure what was asked for."""
    arguments = _arguments()
    parts = set(arguments.only or PARTS)
    works = [work for work in measure.WORKS if work.part in parts]
    _say(f"{os.cpu_count()} CPUs, load average of the minute before {os.getloadavg()[0]:.1f}")
    faults = 0
    with nats_server() as server, tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        if "start" in parts:
            _start(measure.starts(server.url, directory, arguments.rounds))
        if works:
            faults += _throughput(server.url, directory, works, arguments)
        if "head-of-line" in parts:
            faults += _head_of_line(server.url, directory, arguments)
        if "telemetry" in parts:
            faults += _telemetry(directory, arguments)
        if "memory" in parts:
            faults += _memory(server.url, directory, arguments.burst)
        if "restarts" in parts:
            faults += _restarts(server.url, directory, arguments.rounds)
        if "auth0" in parts:
            faults += _auth0(server.url, directory, arguments)
        if "authelia" in parts:
            faults += _authelia(directory, arguments)
        if "hostile" in parts:
            faults += _hostile(server.url, directory, arguments.rounds)
        if "remembering" in parts:
            faults += _remembering(server.url, directory, arguments)
        if "comparing" in parts:
            faults += _comparing(server.url, directory, arguments.seconds)
    _say(f"\nrequests without their one proper reply: {faults}")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each figure (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of each measurement (default: 1)")
    parser.add_argument("--burst", type=int, default=20_000, help="requests published at once (default: 20000)")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _start(seconds: list[float]) -> None:
    _say("\nStart to ready, seconds (wanted: at most 1)")
    _say(f"  median {median(seconds):.2f}, fastest {min(seconds):.2f}, slowest {max(seconds):.2f}")


def _throughput(url: str, directory: Path, works: list[measure.Work], arguments: argparse.Namespace) -> int:
    _say(f"\nThroughput, medians of {arguments.rounds} rounds; each ratio is to the echo of the same round")
    _say("(wanted: username_to_sub at 64 in flight at least 0.70 of the echo, CPU at most 5 times the echo's)")
    _say("  in flight  request                   requests/s  of echo   p50 ms   p99 ms   CPU µs  vs echo")
    faults = 0
    with echo(url, directory) as yardstick, service(url, directory) as product, generator(url) as load:
        for rows in measure.throughput(load, (yardstick, product), works, arguments.rounds, arguments.seconds):
            for row in rows:
                rate = f"{row.per_second:>10,.0f}  {row.ratio:>7.2f}"
                times = f"{row.p50:>7.2f}  {row.p99:>7.2f}  {row.cpu:>7.1f}  {row.cpu_ratio:>7.1f}"
                _say(f"  {row.in_flight:>9}  {row.name:<24}  {rate}  {times}")
                faults += row.faults
    return faults


def _head_of_line(url: str, directory: Path, arguments: argparse.Namespace) -> int:
    _say("\nHead of line: p99 in ms at 64 in flight, beside 256 slow requests of 2 s each (wanted: below 50)")
    faults = 0
    for result in measure.head_of_line(url, directory, arguments.rounds, arguments.seconds):
        _say(
            f"  {result.name:<24}  alone {result.alone:>6.1f}   beside them {result.beside:>6.1f}"
            f"   ({result.slow_requests} slow requests answered)"
        )
        faults += result.faults
    return faults


def _telemetry(directory: Path, arguments: argparse.Namespace) -> int:
    rounds = 2 * arguments.rounds
    _say(f"\nTelemetry: username_to_sub at {telemetry.IN_FLIGHT} in flight, medians of {rounds} rounds taken in turn")
    _say("(wanted: with traces at least 0.80 of the requests/s without exporters)")
    _say("                                                requests/s  of none  worst  of metrics   CPU µs  of none")
    results, told = telemetry.costs(directory, rounds, arguments.seconds)
    for row in results:
        rate = f"{row.per_second:>10,.0f}  {row.ratio:>7.2f}  {row.worst:>5.2f}  {row.of_counted:>10.2f}"
        _say(f"  {row.name:<44}  {rate}  {row.cpu:>7.1f}  {row.cpu_ratio:>7.2f}")
    _say(f"  {told.spans:,} spans of {told.requests:,} requests came to the collector")
    return sum(row.faults for row in results)


def _memory(url: str, directory: Path, burst: int) -> int:
    _say("\nMemory in MiB (wanted: idle below 90; flat, however often many requests come at once)")
    faults = 0
    for result in measure.memory_use(url, directory, burst):
        line = f"  {result.now:>6.1f}  (peak {result.peak:>6.1f})  after {result.after}"
        if result.tally is not None:
            line += f": {result.tally.replies:,} replies in {result.tally.seconds:.1f} s"
            faults += measure.faults(result.tally)
        _say(line)
    return faults


def _auth0(url: str, directory: Path, arguments: argparse.Namespace) -> int:
    _say(f"\nAuth0, on a tenant with {auth0.LATENCY_MS} ms of latency; medians of {arguments.rounds} rounds")
    _say("(wanted: 0.95 of in flight ÷ latency at 16 and 64, 1,000/s at 256; CPU at most 900 µs where the echo takes")
    _say(" 11 µs at 64 in flight: 82 times; by token, without latency, 700/s on one core)")
    _say("  in flight  request                  requests/s  of possible  p50 ms  p99 ms  CPU µs  vs echo  tenant busy")
    faults = 0
    with auth0.place(url, directory) as at:
        for in_flight in auth0.IN_FLIGHT:
            faults += _waiting(auth0.waiting(at, in_flight, arguments.rounds, arguments.seconds * 2))
        alike = auth0.identical(at)
        by_token = auth0.reading(at, arguments.rounds, arguments.seconds)
        faults += _waiting(by_token, latency=False)
        _say(f"  by token: {by_token.per_core:,.0f}/s on one core of the service's own")
        _say(f"  {auth0.IDENTICAL} identical reads at once: {alike.calls} calls (wanted: at most {auth0.MOST_CALLS})")
    return faults + alike.faults


def _waiting(row: auth0.Waiting, *, latency: bool = True) -> int:
    rate = f"{row.per_second:>10,.0f}  {f'{row.share:.3f}' if latency else '-':>11}  {row.p50:>6.1f}  {row.p99:>6.1f}"
    cost = f"{row.cpu:>6.0f}  {row.cpu_ratio:>7.0f}  {row.tenant_busy:>5.2f}, {row.tenant_cpu:.0f} µs"
    _say(f"  {row.in_flight:>9}  {row.name:<23}  {rate}  {cost}")
    return row.faults


def _authelia(directory: Path, arguments: argparse.Namespace) -> int:
    _say(f"\nAuthelia, on NATS Key-Value, {authelia.IN_FLIGHT} in flight; medians of {arguments.rounds} rounds")
    _say("(each ratio is to the same request on the mock in the same round, or to the echo; busy: part of a core)")
    _say("                                      requests/s  mock's   of it   p50   p99  CPU µs  of mock's  of echo's")
    faults = 0
    with authelia.place(directory) as at:
        for row in authelia.rows(at, arguments.rounds, arguments.seconds):
            rate = f"{row.per_second:>10,.0f}  {row.mock_per_second:>6,.0f}  {row.ratio:>6.3f}"
            times = f"{row.p50:>4.0f}  {row.p99:>4.0f}  {row.cpu:>6.0f}  {row.cpu_ratio:>9.1f}  {row.echo_ratio:>9.0f}"
            _say(f"  {row.name:<34}  {rate}  {times}")
            busy = f"nats-server busy {row.server_busy:.2f}, stand-ins {row.around_busy:.2f}"
            _say(f"    {busy}, writes tried again per request {row.conflicts:.2f}")
            faults += row.faults
    return faults


def _restarts(url: str, directory: Path, rounds: int) -> int:
    course = asyncio.run(replaced_under_load(url, directory, rounds))
    _say("\nThree replicas replaced in turn under load: p99 in ms of reads on a tenant with 50 ms of latency")
    _say(
        f"  before {course.steady.p99:>6.1f}   while {len(course.statuses)} were replaced {course.replacing.p99:>6.1f}"
        f"   ({course.replacing.sent:,} requests)"
    )
    return course.steady.faults + course.replacing.faults


def _remembering(url: str, directory: Path, arguments: argparse.Namespace) -> int:
    lost = _remembered_costs(directory, arguments.rounds, arguments.seconds)
    seconds = max(arguments.seconds, remembering.LEAST_SECONDS)
    _say(f"\nReads of a tenant that takes {remembering.RATE} calls/s (burst {remembering.BURST}), {seconds:.0f} s each")
    how = f"{remembering.IN_FLIGHT} in flight, {remembering.REPLICAS} replicas"
    _say(f"({remembering.USERS} users by Zipf's law, {how})")
    _say("                         good/s   errors  calls/s   p50 ms   p99 ms  oldest s")
    for row in remembering.rows(url, directory, seconds):
        times = f"{row.p50:>7.1f}  {row.p99:>7.1f}  {row.oldest:>8.1f}"
        _say(f"  {row.name:<20}  {row.good:>7.0f}  {row.errors:>7}  {row.calls:>7.1f}  {times}")
        lost += row.lost
    return lost


def _comparing(url: str, directory: Path, seconds: float) -> int:
    _say(f"\nCallers beside `auth-service compare` at {comparing.RATE}/s, {seconds:.0f} s; times in ms")
    _say("                   requests  faults     p50     p99  slowest")
    course = comparing.course(url, directory, seconds)
    for one in course.callers:
        times = f"{one.p50:>6.2f}  {one.p99:>6.2f}  {one.slowest:>7.1f}"
        _say(f"  {one.name:<15}  {one.requests:>8,}  {one.faults:>6}  {times}")
    said = course.report
    _say(f"  it said (status {course.status}): {said['verdict']}; {said['asked']:,} asked of both")
    _say(f"  {said['left_out']:,} left out; passed by {said['passed_by']}, writes sent {course.writes:,}")
    for one in said["subjects"]:
        times = ", ".join(f"{which} {one[which]['p50_ms']} and {one[which]['p99_ms']}" for which in ("old", "new"))
        _say(f"    {one['subject']:<18}  asked {one['asked']:>6,}  same {one['same']:>6,}  p50 and p99: {times}")
    _say(f"  it took at most {course.memory:.0f} MiB")
    return course.faults


def _remembered_costs(directory: Path, rounds: int, seconds: float) -> int:
    _say(f"\nReads that are remembered, {remembering.IN_FLIGHT} in flight; medians of {rounds} rounds")
    _say("(wanted: at most twice the CPU of the mock)")
    _say("                                CPU µs  mock's  of it")
    lost = 0
    for row in remembering.costs(directory, rounds, min(seconds, 2.0)):
        _say(f"  {row.name:<28}  {row.cpu:>6.1f}  {row.mock:>6.1f}  {row.ratio:>5.2f}")
        lost += row.faults
    return lost


def _hostile(url: str, directory: Path, rounds: int) -> int:
    _say(f"\nHostile: messages of 1 MiB to every subject, one at a time; the worst of {rounds} rounds in ms")
    _say(f"(wanted: /livez and a look-up beside them below {hostile.WANTED_MS} ms; CPU: of the service, a message)")
    _say("  provider  kind                                     messages   /livez  look-up   CPU ms")
    faults = 0
    for row in hostile.rows(url, directory, rounds):
        times = f"{row.live:>7.1f}  {row.looked_up:>7.1f}  {row.cpu:>7.1f}"
        _say(f"  {row.provider:<8}  {row.kind:<40} {row.requests:>8}  {times}")
        faults += row.faults
    return faults


if __name__ == "__main__":
    sys.exit(main())
