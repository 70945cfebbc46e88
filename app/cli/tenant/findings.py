# SPDX-License-Identifier: MIT
"""Findings: what a look at the tenant has shown, and what would close the gap."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any


class State(StrEnum):
    """How something is."""

    OK = "ok"
    MISSING = "missing"
    DIFFERS = "differs"
    UNKNOWN = "cannot tell"


class Order(IntEnum):
    """In which order steps are made: each needs what stands before it."""

    KEY = 0
    APPLICATION = 1
    API = 2
    CONNECTION = 3
    GRANT = 4
    ACTION = 5
    EXCHANGE = 6


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be."""

    what: str
    wanted: str
    found: str

    def __str__(self) -> str:
        """Return it as it stands in the table."""
        return f"{self.what}: wanted {self.wanted}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the tenant."""

    what: str
    order: Order
    run: Callable[[], Awaitable[None]]
    foreign: bool = False
    """Whether it changes something that was not made for the service."""
    keyed: bool = False
    """Whether it gives the tenant the service's key."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of `tenant check`, and the steps after which it is well."""

    what: str
    state: State
    why: str = ""
    differences: tuple[Difference, ...] = ()
    remedy: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def details(self) -> str:
        """What is to be said beside the state."""
        return "; ".join([*([self.why] if self.why else []), *map(str, self.differences)])

    def described(self) -> dict[str, Any]:
        """Return the row for a script."""
        differences = [{"what": one.what, "wanted": one.wanted, "found": one.found} for one in self.differences]
        row = {"what": self.what, "state": str(self.state), "why": self.why, "differences": differences}
        return {**row, "remedy": self.remedy}


def well(what: str, why: str) -> Finding:
    """Return that it is as it should be."""
    return Finding(what, State.OK, why)


def missing(what: str, why: str, *steps: Step, remedy: str = "") -> Finding:
    """Return that it is not there."""
    return Finding(what, State.MISSING, why, remedy=remedy or _remedy(steps), steps=steps)


def differs(what: str, differences: list[Difference], *steps: Step, remedy: str = "") -> Finding:
    """Return that it is not as it should be."""
    return Finding(what, State.DIFFERS, differences=tuple(differences), remedy=remedy or _remedy(steps), steps=steps)


def unknown(what: str, why: str, remedy: str) -> Finding:
    """Return that it cannot be known."""
    return Finding(what, State.UNKNOWN, why, remedy=remedy)


def _remedy(steps: tuple[Step, ...]) -> str:
    adopt = " --adopt" if any(step.foreign for step in steps) else ""
    return f"auth-service tenant apply{adopt}"
