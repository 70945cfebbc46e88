# SPDX-License-Identifier: MIT
"""What is said of the code's plan: every part has a floor, and every name on the page is one in the code."""

from __future__ import annotations

import importlib
import re
import tomllib

import pytest

from tests.docs.tables import TOP

CONTRACTS = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
FLOORS = CONTRACTS[0]["layers"]
PAGE = (TOP / "docs" / "architecture.md").read_text()
PATHS = sorted(set(re.findall(r"`((?:app|deploy|docs|routers|tests)/[\w./-]+)`", PAGE)))
NAMES = sorted(set(re.findall(r"`((?:app|routers|providers)(?:\.\w+)*)`", PAGE)))


def test_every_part_of_the_code_has_a_floor():
    parts = {f"app.{path.stem}" for path in (TOP / "app").iterdir() if path.suffix == ".py" or path.is_dir()}
    parts -= {"app.__init__", "app.__pycache__"}
    assert {part for floor in FLOORS for part in floor.split(" | ")} == parts | {"providers", "routers"}


def test_the_page_shows_the_floors():
    (drawn,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    assert [line.partition("   ")[0] for line in drawn.splitlines()] == FLOORS


@pytest.mark.parametrize("name", NAMES)
def test_names_on_the_page_are_in_the_code(name):
    module, rest = name, []
    while True:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
        else:
            break
    for part in rest:
        fields = getattr(found, "__dataclass_fields__", {})
        assert hasattr(found, part) or part in fields
        found = getattr(found, part, None)


@pytest.mark.parametrize("path", PATHS)
def test_paths_on_the_page_are_in_the_repository(path):
    assert (TOP / path).exists()


def test_the_way_of_a_request_is_told_in_full():
    assert len(NAMES) > 50
    assert len(PATHS) > 12
