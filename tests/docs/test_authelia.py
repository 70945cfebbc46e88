# SPDX-License-Identifier: MIT
"""The page about the Authelia provider: the rights that it asks for are those that the chart gives."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from app.domain.errors import WIRES

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "providers" / "authelia.md"
RENDERED = TOP / "tests" / "chart" / "golden" / "authelia-minimal.yaml"


def test_the_role_of_the_page_is_the_role_of_the_chart():
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    shown = yaml.safe_load(block)
    (given,) = [part for part in yaml.safe_load_all(RENDERED.read_text(encoding="utf-8")) if part["kind"] == "Role"]
    assert shown["rules"] == given["rules"]
    assert shown["metadata"]["namespace"] == given["metadata"]["namespace"]


def test_every_answer_that_the_page_explains_is_one_of_the_services():
    table = PAGE.read_text(encoding="utf-8").partition("| a reply says |")[2].partition("\n\n")[0]
    explained = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    assert len(explained) > 5
    assert set(explained) - WIRES == set()
