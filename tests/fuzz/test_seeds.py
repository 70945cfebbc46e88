# SPDX-License-Identifier: MIT
"""Every input that is kept is read as it should be; `make fuzz` looks for more of them."""

from __future__ import annotations

import pytest

from tests.fuzz.checking import check, check_more
from tests.fuzz.seeds import FOLDER, seeds
from tests.fuzz.targets import TARGETS, Target
from tests.support.costs import MIB


def test_every_target_has_seeds():
    assert {folder.name for folder in FOLDER.iterdir()} == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_is_read(name):
    for data in seeds(name).values():
        check(TARGETS[name], data)


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.repeated])
def test_much_of_a_seed_costs_no_more_than_it_may(name):
    for data in seeds(name).values():
        check_more(TARGETS[name], data, MIB // 16)


def test_an_error_that_is_none_of_ours_is_a_finding():
    def read(data: bytes) -> None:
        data.decode()

    with pytest.raises(UnicodeDecodeError):
        check(Target(read), b"\xff")


def test_a_cost_that_is_worse_than_linear_is_a_finding():
    def read(data: bytes) -> None:
        sum(1 for one in data for other in data if one > other)

    with pytest.raises(AssertionError, match=r"bytes: .* ms|not done after"):
        check_more(Target(read), b"a", MIB // 16)
