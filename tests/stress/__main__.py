# SPDX-License-Identifier: MIT
"""`make stress`: run the tests some times in random order, beside two processes that keep the cores busy.

`--busy 0` leaves these out, as when other work keeps the cores busy.

A run prints a line: its seed, how many passed and failed, its seconds, and the names of those that failed.
`--random-order-seed` of pytest repeats an order. All that a failed run printed is in `build/stress/`.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(1_000_000))"
SIDE_BY_SIDE = (
    "--no-cov",
    "--numprocesses=4",
    "--dist=worksteal",
    "--random-order",
    "-p",
    "no:cacheprovider",
)
OUTPUT = Path("build/stress")
LONGEST = 3_600
"""Seconds after which a run counts as failed."""


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Burn processor time while the context lasts; the processes also end when this one is killed."""
    burning = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)  # noqa: T201 - it speaks to who called make


def run(number: int, seed: int, chosen: list[str]) -> bool:
    """Run the tests once, and print a line; tell whether all passed."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", *SIDE_BY_SIDE, f"--random-order-seed={seed}", *chosen]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LONGEST, check=False)
        output, status = done.stdout.decode(errors="backslashreplace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = (late.stdout or b"").decode(errors="backslashreplace") + "\ndid not end", 1
    passed, failed = (sum(map(int, re.findall(rf"(\d+) {word}", output))) for word in ("passed", "(?:failed|errors?)"))
    say(f"run {number}: seed {seed}, {passed} passed, {failed} failed, {time.monotonic() - begun:,.0f} s")
    for line in re.findall(r"^(?:FAILED|ERROR) .*", output, re.MULTILINE):
        say(f"    {line}")
    if status:
        OUTPUT.mkdir(parents=True, exist_ok=True)
        (OUTPUT / f"{seed}.log").write_text(output, encoding="utf-8")
    if status and not failed:
        say(output[-2_000:])
    return status == 0


def main() -> int:
    """Run as often as is asked; exit status 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="make stress", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how often; default: 10")
    parser.add_argument("--busy", type=int, default=2, help="how many processes burn processor time; default: 2")
    parser.add_argument("--seed", type=int, default=None, help="of the first run; the next ones count on")
    parser.add_argument("chosen", nargs="*", help="tests; default: all that `make test` runs")
    options = parser.parse_args()
    first = random.randrange(1_000_000) if options.seed is None else options.seed
    with busy(options.busy):
        results = [run(number + 1, first + number, options.chosen) for number in range(options.runs)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
