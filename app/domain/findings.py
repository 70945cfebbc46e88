# SPDX-License-Identifier: MIT
"""Results of the checks of what the service needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of a checked thing."""

    OK = "ok"
    FAILED = "FAILED"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of `auth-service check`: what was checked, its state, and a short reason. It contains no secret."""

    what: str
    state: State
    why: str


def good(what: str, why: str) -> Finding:
    """Return that it works."""
    return Finding(what, State.OK, why)


def bad(what: str, why: str) -> Finding:
    """Return that it does not work."""
    return Finding(what, State.FAILED, why)


def unknown(what: str, why: str) -> Finding:
    """Return that it cannot be known."""
    return Finding(what, State.UNKNOWN, why)
