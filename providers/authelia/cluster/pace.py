# SPDX-License-Identifier: MIT
"""The times of synchronisation, in seconds, and the work of a hash."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The contract's times, unless a test needs others."""

    every: float = 300.0
    """From one synchronisation to the next when nothing changes."""

    after_failure: float = 20.0
    """From one that failed to the next."""

    gather: float = 2.0
    """For how long changes are gathered."""

    call: float = 2.0
    """How long an attempt at a call of Kubernetes may take; reads have several."""

    restart: float = 60.0
    """For how long a restart is left to whoever changed the file, or began to make it."""

    between: float = 30.0
    """From one restart of Authelia to the next, at least."""

    hash_cost: int = 12
    """The work of a password's bcrypt hash: two to the power of this."""
