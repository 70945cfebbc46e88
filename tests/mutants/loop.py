# SPDX-License-Identifier: MIT
"""What takes the place of pytest's loop over the tests: a loop over the mutants."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.mutants.forked import Child, Reached, attack, explore

if TYPE_CHECKING:
    from tests.mutants.groups import Group
    from tests.mutants.loading import Mutant

CAUGHT: Final = "caught by "
OUT_OF_TIME: Final = "out of time"
SURVIVED: Final = "survived"
NOT_REACHED: Final = "not reached"

_EXPLORING: Final = 1800.0
"""Seconds that all tests may take before anything is changed."""

_SECONDS: Final = 120.0
_SLOWER: Final = 5.0
"""The tests of a mutant may take two minutes, and so many times what they took unchanged."""


@dataclass(frozen=True)
class Thrift:
    """What a busy machine can be spared; who is thrifty may take for a survivor what is none."""

    examples: int = 80
    """Of hypothesis, for each test that does not say how many."""

    computing: float = math.inf
    """Seconds beyond which a test is left out."""

    seconds: float = math.inf
    """After which no further mutant is looked at."""


class Loop:
    """Lets the tests that reach a mutant's function run on it, the quickest first, until one fails."""

    def __init__(self, mutants: dict[Mutant, Group], jobs: int, found: dict[str, str], thrift: Thrift) -> None:
        """Take what is to be looked at, and whose tests are to notice; how many at once; where the result is noted."""
        self._mutants, self._jobs, self._found, self._thrift = mutants, jobs, found, thrift

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Look at all mutants."""
        _without_shrinking(self._thrift.examples)
        reached = explore(session.items, _EXPLORING)
        if failed := [session.items[one.test].nodeid for one in reached if not one.passed]:
            session.config.get_terminal_writer().line(f"left out, for these fail without any change: {failed}")
        reached = [one for one in reached if one.passed and one.computing <= self._thrift.computing]
        reached.sort(key=lambda one: one.computing)
        session.config.get_terminal_writer().line(
            f"{len(self._mutants)} mutants, {len(reached)} tests, {sum(one.computing for one in reached):.1f} s"
        )
        until = time.monotonic() + self._thrift.seconds
        running: deque[tuple[Mutant, Child]] = deque()
        for mutant, group in self._mutants.items():
            of_group = [one for one in reached if session.items[one.test].nodeid.startswith(group.tests)]
            tests = [one for one in of_group if mutant.function in one.functions]
            if not tests:
                self._found[mutant.name] = NOT_REACHED
                continue
            if time.monotonic() > until:
                break
            if len(running) == self._jobs:
                self._note(*running.popleft())
            running.append((mutant, _attacked(session.items, mutant, tests)))
        while running:
            self._note(*running.popleft())
        return True

    def _note(self, mutant: Mutant, child: Child) -> None:
        said = child.end()
        failed = json.loads(said) if said else ""
        self._found[mutant.name] = SURVIVED if failed is None else CAUGHT + failed if failed else OUT_OF_TIME


def _attacked(items: list[pytest.Item], mutant: Mutant, tests: list[Reached]) -> Child:
    return attack(items, tests, mutant.name, _SECONDS + _SLOWER * sum(one.seconds for one in tests))


def _without_shrinking(examples: int) -> None:
    """Let hypothesis stop at the first example that fails, take the same ones every time, and no more than that."""
    from hypothesis import Phase, settings  # noqa: PLC0415 - before pytest it would not be rewritten

    settings.register_profile(
        "mutants",
        settings.default,
        phases=(Phase.explicit, Phase.generate),
        derandomize=True,
        database=None,
        max_examples=examples,
    )
    settings.load_profile("mutants")
