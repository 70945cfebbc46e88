# SPDX-License-Identifier: MIT
"""`make fuzz`: look for inputs that raise what they must not, or cost too much; guided by coverage (atheris).

`--seconds` is the time for each target, `--only` chooses some, `--seed` makes a run like the last one. A target prints
a line. What fails is left in `build/fuzz/<target>/`, and becomes a file of `tests/fuzz/seeds/<target>/` once it is
mended.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.seeds import FOLDER
from tests.fuzz.targets import TARGETS

BUILD = Path(__file__).parents[2] / "build/fuzz"
LONGEST = 4_096
"""Bytes of an input; what more of it costs is seen by repeating it."""

STARTED_WITHIN = 120


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)  # noqa: T201 - it speaks to who called make


def fuzz(name: str, seconds: int, seed: int) -> bool:
    """Fuzz a target so long, and print a line; tell whether nothing was found. `seed`: what chance begins with."""
    folder = BUILD / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*-*"))
    told = ["-print_final_stats=1", f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=60", f"-seed={seed}"]
    places = [f"-artifact_prefix={folder}/", corpus, FOLDER / name]
    command = [sys.executable, "-m", "tests.fuzz.one", name, *told, "-rss_limit_mb=4096", *places]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + STARTED_WITHIN,
            check=False,
        )
        output, status = done.stdout.decode(errors="backslashreplace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = (late.stdout or b"").decode(errors="backslashreplace") + "\ndid not end in time", 1
    found = sorted(set(folder.glob("*-*")) - before)
    executions = re.findall(r"^#(\d+)\s", output, re.MULTILINE)
    coverage = re.findall(r"cov: (\d+)", output)
    executed = int(executions[-1]) if executions else 0
    say(f"{name:12} {executed:9,} executions, coverage {coverage[-1] if coverage else 0:>5}, {len(found)} findings")
    for path in found:
        say(f"    {path.relative_to(BUILD.parents[1])}")
    if status or found:
        say(output[-4_000:])
    return status == 0 and not found


def main() -> int:
    """Fuzz the targets, as many at once as there are cores; exit status 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument("--seed", type=int, default=0, help="what chance begins with; default: another each time")
    parser.add_argument("--only", nargs="*", choices=sorted(TARGETS), default=sorted(TARGETS), help="these targets")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        say("there is no atheris for this Python or system: the seeds alone are read")
        return subprocess.run([sys.executable, "-m", "pytest", "--no-cov", "tests/fuzz"], check=False).returncode
    with ThreadPoolExecutor(os.cpu_count()) as several:
        return 0 if all(list(several.map(lambda name: fuzz(name, options.seconds, options.seed), options.only))) else 1


if __name__ == "__main__":
    sys.exit(main())
