# SPDX-License-Identifier: MIT
"""The chart's table of values says what values.yaml holds, and its schema knows the service's variables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/lfx-v2-auth-service"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
ROWS = dict(
    re.findall(
        r"^\| `([^`]+)` \| (.*?) \| ", (CHART / "README.md").read_text().split("<!-- values -->")[1], re.MULTILINE
    )
)


def at(path: str) -> object:
    value: object = VALUES
    for part in path.split("."):
        assert isinstance(value, dict), path
        value = value[part]
    return value


def leaves(value: object, path: str = "") -> set[str]:
    if path in ROWS or not isinstance(value, dict) or not value:
        return {path}
    return {leaf for name, below in value.items() for leaf in leaves(below, f"{path}.{name}".lstrip("."))}


def variables() -> set[str]:
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))


def test_the_table_has_every_value_and_no_other() -> None:
    assert leaves(VALUES) == set(ROWS)


def test_the_table_has_the_defaults_of_the_values_file() -> None:
    for path, shown in ROWS.items():
        if literal := re.fullmatch(r"`([^`]*)`", shown):
            assert yaml.safe_load(literal[1]) == at(path), path


def test_the_schema_has_every_value() -> None:
    for path in leaves(VALUES):
        node = SCHEMA
        for part in path.split("."):
            node = node["properties"][part]


def test_the_schema_lets_every_variable_of_the_service_through() -> None:
    known = set(SCHEMA["properties"]["app"]["properties"]["environment"]["properties"])
    named = {name for name in variables() if not name.startswith("OTEL_")}
    of_the_command = {name for name in named if name.startswith("AUTH0_ADMIN_")}
    assert named - of_the_command <= known
    assert len(of_the_command) == 3
    assert not of_the_command & known


def test_the_existing_secret_gives_every_variable_that_the_configuration_marks_secret() -> None:
    page = (ROOT / "docs/configuration.md").read_text().split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    marked = set(re.findall(r"^\| `([A-Z0-9_]+)` \|.* Secret\. \|$", page, re.MULTILINE))
    keys = set(SCHEMA["properties"]["app"]["properties"]["existingSecret"]["properties"]["keys"]["properties"])
    told = re.search(
        r"^`app\.existingSecret` provides (.*?):", (CHART / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert told is not None
    assert marked == keys == set(re.findall(r"`([A-Z0-9_]+)`", told[1]))
    assert len(marked) == 11


def test_every_variable_stands_in_the_values_file() -> None:
    known = set(SCHEMA["properties"]["app"]["properties"]["environment"]["properties"])
    assert set(VALUES["app"]["environment"]) == known
