# SPDX-License-Identifier: MIT
"""Every lock file is whole: for each Python and system it holds all that its packages ask for, as they ask for it."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.setup.locks import LOCKS, ROOT, applies, asked_for, entries, environments, locked

# The Makefile installs every lock file into one of the two.
PLACES = [str(path) for place in (".venv", "build/tools") for path in ROOT.glob(f"{place}/lib/python3*/site-packages")]
INSTALLED = {(canonicalize_name(one.name), one.version): one for one in distributions(path=PLACES)}

# What this Python or system does not install, and which asks for nothing that every other one does not have.
ELSEWHERE = {"atheris", "colorama", "exceptiongroup", "pymdown-extensions", "pyyaml-ft", "win32-setctime"}


def asks_for(distribution: Distribution | None) -> list[Requirement]:
    return [Requirement(text) for text in (distribution.requires if distribution else None) or []]


def missing(lock: str, environment: dict[str, str]) -> set[str]:
    """What the lock file lacks there, or has in a version that does not do."""
    versions = locked(lock, environment)
    wanted = [one for one in asked_for(lock) if applies(one, environment)]
    seen, lacking = set(), set()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name not in versions or not one.specifier.contains(versions[name], prereleases=True):
            lacking.add(str(one))
            continue
        for extra in {"", *one.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            further = asks_for(INSTALLED.get((name, versions[name])))
            wanted += [each for each in further if applies(each, environment, extra)]
    return lacking


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("place", environments())
def test_nothing_is_missing(lock, place):
    assert missing(lock, environments()[place]) == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_what_each_package_asks_for_is_known_here(lock):
    unknown = {
        canonicalize_name(entry.name)
        for entry in entries(lock)
        if (canonicalize_name(entry.name), str(entry.specifier).removeprefix("==")) not in INSTALLED
    }
    assert unknown <= ELSEWHERE


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_option_stands_in_it(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert re.findall(r"^ *--(?!hash=sha256:[0-9a-f]{64}( \\)?$).*", text, re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_pins_one_version_and_asks_for_no_extra(lock):
    pinned = re.compile(r"==[^*,]+")
    assert entries(lock)
    assert [str(one) for one in entries(lock) if one.extras or not pinned.fullmatch(str(one.specifier))] == []


@pytest.mark.parametrize("lock", ["requirements-run.lock", "requirements-dev.lock", "requirements-docs.lock"])
def test_what_goes_into_one_environment_is_of_one_version(lock):
    for environment in environments().values():
        runtime, other = locked("requirements.lock", environment), locked(lock, environment)
        assert {name: other[name] for name in runtime.keys() & other.keys()} == {
            name: runtime[name] for name in runtime.keys() & other.keys()
        }
