# SPDX-License-Identifier: MIT
"""What a look at something that the service needs has shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something is."""

    OK = "ok"
    FAILED = "FAILED"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of `auth-service check`: what was looked at, how it is, and in a few words why. No secret stands in it."""

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
