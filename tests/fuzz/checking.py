# SPDX-License-Identifier: MIT
"""What a target must hold to with one input: it raises nothing, and takes no longer than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.costs import MIB, MOST, SLACK, seconds

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

_LITTLE = 0.02
"""Seconds for what does not grow with an input: a loop to run in, a file to write."""


def check(target: Target, data: bytes, slower: float = SLACK) -> None:
    """Read an input, and bound the CPU time of that. `slower`: by which factor a bound is lengthened."""
    bound = (_LITTLE + MOST * max(1.0, len(data) / MIB)) * slower
    cost = seconds(lambda: target.read(data), bound)
    assert cost <= bound, f"{len(data):,} bytes: {cost * 1_000:,.0f} ms"


def check_more(target: Target, data: bytes, most: int, slower: float = SLACK) -> None:
    """Read much of the same: what an input costs that is repeated up to so many bytes."""
    for size in (most // 16, most):
        if len(data) < size <= target.repeated and data:
            check(target, (data * (size // len(data) + 1))[:size], slower)
