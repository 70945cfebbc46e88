# SPDX-License-Identifier: MIT
"""Every command and example on a page is run, in the order of the page; `make examples` runs those that need tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import COMMANDS, DRAWN, PAGES, behind, blocks, fits, pages
from tests.docs.places import WORLDS, follow
from tests.docs.tables import TOP

BLOCKS = [block for page in PAGES for block in blocks(page)]


def name(page):
    return str(page.relative_to(TOP))


@pytest.mark.parametrize("page", pages(with_tools=False), ids=name)
def test_the_commands_do_what_the_page_shows(page, tmp_path):
    world, _ = behind(page)
    with WORLDS[world](tmp_path) as place:
        follow(blocks(page), place)


@pytest.mark.parametrize("page", [page for page in PAGES if any(block.is_run for block in blocks(page))], ids=name)
def test_a_page_with_commands_says_what_stands_behind_them(page):
    assert behind(page)[0] in WORLDS


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_every_block_is_run_read_or_says_why_not(block):
    if block.language in (COMMANDS, DRAWN) or block.key:
        return
    readers = {"json": json.loads, "yaml": lambda text: list(yaml.safe_load_all(text)), "text": str}
    assert block.language in readers, "say with a comment before it what it is: see tests/docs/blocks.py"
    readers[block.language](block.text)


def test_what_is_not_run_says_why():
    assert [block.where for block in BLOCKS if block.key == "not run" and len(block.value.split()) < 3] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.key == "run by"], ids=lambda block: block.where)
def test_what_another_test_runs_is_read_by_it(block):
    page = Path(block.where.partition(":")[0]).name
    assert page in (TOP / block.value).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shown", "seen", "fit"),
    [
        ("a\nb\n", "a\nb", True),
        ("a … c", "a b c", True),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a", "a b", False),
        (".", "a", False),
    ],
)
def test_output_fits_what_is_shown(shown, seen, fit):
    assert fits(shown, seen) is fit
