# SPDX-License-Identifier: MIT
"""Fuzzes one target: `python -m tests.fuzz.one <target> <what libFuzzer is told>`; started by `tests.fuzz`."""

from __future__ import annotations

import os
import sys

import atheris

with atheris.instrument_imports(include=["app", "providers", "routers"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.checking import check, check_more
from tests.support.costs import MIB, SLACK

EVERY = 64
"""Inputs of which one is repeated as well, to see what much of it costs."""

INSTRUMENTED = 4 * SLACK
"""How much longer things take, with each branch counted."""


def main() -> None:
    """Run until libFuzzer has had enough; it writes an input that fails into a file, and ends the process."""
    target = TARGETS[sys.argv[1]]
    count = 0

    def read(data: bytes) -> None:
        nonlocal count
        count += 1
        check(target, data, INSTRUMENTED)
        if count % EVERY == 0:
            check_more(target, data, MIB // 16, INSTRUMENTED)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], read)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
