# SPDX-License-Identifier: MIT
"""The pages that begin with a clean clone, or whose commands need Go, Node or the command `nats`."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.docs.blocks import CLONE, behind, blocks, pages
from tests.docs.parser.__main__ import find
from tests.docs.places import TOOLS, WORLDS, follow
from tests.docs.tables import TOP

INSTALL = {
    "go": "make tools, or https://go.dev/dl",
    "node": "make docs, or https://nodejs.org",
    "helm": "make chart, or https://helm.sh",
    "nats": "make tools",
    "openssl": "apt-get install openssl",
    "git": "apt-get install git",
}


def name(page):
    return str(page.relative_to(TOP))


def missing(tools):
    """What to install for tools that are not there."""
    there = {"node"} if find() else set()
    there |= {tool for tool in tools for path in (None, TOOLS) if shutil.which(tool, path=path)}
    return [INSTALL[tool] for tool in tools if tool not in there]


@pytest.mark.parametrize("page", pages(with_tools=True), ids=name)
def test_the_commands_do_what_the_page_shows(page, tmp_path):
    world, tools = behind(page)
    assert missing(["git", *tools] if world == CLONE else tools) == []
    with WORLDS[world](tmp_path) as place:
        place.environment.pop("PIP_NO_INDEX", None)
        follow(blocks(page), place)


def test_there_are_pages_of_each_kind():
    assert {page.name for page in pages(with_tools=True)} >= {"start.md", "go.md", "node.md", "command.md"}


def test_the_page_names_the_release_of_nats_that_is_built():
    (release,) = re.findall(r"^NATSCLI := (\S+)$", (TOP / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    page = (TOP / "docs" / "callers" / "command.md").read_text(encoding="utf-8")
    assert f"natscli/nats@{release}\n" in page
