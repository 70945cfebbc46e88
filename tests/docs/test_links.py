# SPDX-License-Identifier: MIT
"""Links between the pages lead somewhere."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.docs.tables import TOP

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PAGES = sorted(
    path
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / "deploy").rglob("*.md")]
    if "node_modules" not in path.parts
)


def anchors(page):
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]


def test_there_are_pages_and_links():
    assert {page.name for page in PAGES} >= {"README.md", "CONTRIBUTING.md", "SECURITY.md", "configuration.md"}
    assert "docs/configuration.md" in links(TOP / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize(
    "target",
    ["run", "test", "lint", "bench", "docs", "asyncapi", "browser", "clean", "lock", "site", "examples", "tools"],
)
def test_make_help_lists_the_target(target):
    listed = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert f"  make {target} " in listed


def test_every_make_target_that_a_page_names_exists():
    targets = set(re.findall(r"^([a-z]+):.*## ", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8"))}
    assert named <= targets
