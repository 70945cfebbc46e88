# SPDX-License-Identifier: MIT
"""Change the code of groups of modules and say which changes no test notices; all groups unless some are named."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mutants.groups import GROUPS, SELECTED
from tests.mutants.loading import Changed, Finder
from tests.mutants.loop import CAUGHT, Loop, Thrift

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.mutants.groups import Group
    from tests.mutants.loading import Mutant

_FOUND: Final = Path("build/mutants.json")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - it speaks to who called make


def _before() -> dict[str, str]:
    """Return what became of each mutant the last time, by its function and its change; numbers may have changed."""
    return json.loads(_FOUND.read_text(encoding="utf-8")) if _FOUND.exists() else {}


def _keep(before: dict[str, str], mutants: Iterable[Mutant], found: dict[str, str]) -> None:
    results = {one.key: found[one.name] for one in mutants if one.name in found}
    _FOUND.parent.mkdir(parents=True, exist_ok=True)
    _FOUND.write_text(json.dumps({**before, **results}, indent=1), encoding="utf-8")


def run(groups: list[Group], options: argparse.Namespace) -> int:
    """Look at the mutants of some groups; return what pytest ends with."""
    import pytest  # noqa: PLC0415 - what is changed must not be loaded before

    changed = {group: [Changed(file) for file in group.modules] for group in groups}
    Finder([one for several in changed.values() for one in several]).install()
    every = options.every
    mutants = {one: group for group, several in changed.items() for file in several for one in file.mutants()[::every]}
    before = _before()
    found = {
        one.name: before[one.key] for one in mutants if options.again and before.get(one.key, "").startswith(CAUGHT)
    }
    thrift = Thrift(options.examples, options.computing, options.seconds)
    left = {one: group for one, group in mutants.items() if one.name not in found}
    loop = Loop(left, options.jobs, found, thrift)
    tests = dict.fromkeys(test for group in groups for test in group.tests)
    try:
        return int(pytest.main(["--no-cov", "-q", "-p", "no:cacheprovider", "-k", SELECTED, *tests], plugins=[loop]))
    finally:
        _keep(before, mutants, found)
        _tell(mutants, found)


def _tell(mutants: Iterable[Mutant], found: dict[str, str]) -> None:
    looked_at = [one for one in mutants if one.name in found]
    for one in looked_at:
        if not found[one.name].startswith(CAUGHT):
            _say(f"--- {found[one.name]}: {one.name}\n{one.diff}")
    for module in dict.fromkeys(one.module for one in looked_at):
        results = Counter(found[one.name].partition(" by ")[0] for one in looked_at if one.module == module)
        _say(f"{module}: {results.total()} mutants, {', '.join(f'{n} {what}' for what, n in results.most_common())}")


def main() -> int:
    """Take what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--again", action="store_true", help="only what was not caught the last time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="mutants at once")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of each module every Nth mutant")
    parser.add_argument("--examples", type=int, default=80, metavar="N", help="of hypothesis, for each test")
    parser.add_argument("--computing", type=float, default=math.inf, metavar="S", help="no test of more seconds")
    parser.add_argument("--seconds", type=float, default=math.inf, help="look at no further mutant after that")
    parser.add_argument("names", nargs="*", help="groups, as they stand in tests/mutants/groups.py")
    options = parser.parse_args()
    groups = [one for one in GROUPS if not options.names or one.name in options.names]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        return run(groups, options)


if __name__ == "__main__":
    sys.exit(main())
