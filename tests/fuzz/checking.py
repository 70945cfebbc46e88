# SPDX-License-Identifier: MIT
"""What a target must hold to with one input: it raises nothing, and takes no longer than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.costs import MIB, MOST, SLACK, assert_grows_evenly, seconds

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

_LITTLE = 0.02
"""Seconds for what does not grow with an input: a loop to run in, a file to write."""


def check(target: Target, data: bytes, slower: float = SLACK) -> float:
    """Read an input, and bound the CPU time of that; return it. `slower`: by which factor a bound is lengthened."""
    bound = (_LITTLE + MOST * len(data) / MIB) * slower
    cost = seconds(lambda: target.read(data), bound)
    assert cost <= bound, f"{len(data):,} bytes: {cost * 1_000:,.0f} ms"
    return cost


def check_more(target: Target, data: bytes, most: int, slower: float = SLACK) -> None:
    """Read much of the same: what an input costs that is repeated up to so many bytes, and how that grows."""
    if not data or most > target.repeated:
        return
    much = (data * (most // len(data) + 1))[:most]
    little = much[: most // 16]
    check(target, little, slower)
    assert_grows_evenly(check(target, much, slower), lambda: target.read(little), _LITTLE)
