# SPDX-License-Identifier: MIT
"""What is said of the code's plan: every part has a floor."""

from __future__ import annotations

import tomllib

from tests.docs.tables import TOP

CONTRACTS = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
FLOORS = [floor.split(" | ") for floor in CONTRACTS[0]["layers"]]


def test_every_part_of_the_code_has_a_floor():
    parts = {f"app.{path.stem}" for path in (TOP / "app").iterdir() if path.suffix == ".py" or path.is_dir()}
    parts -= {"app.__init__", "app.__pycache__"}
    assert {part for floor in FLOORS for part in floor} == parts | {"providers", "routers"}
