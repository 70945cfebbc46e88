# SPDX-License-Identifier: MIT
"""Pages of decisions have one form, the index lists them in order, and the table of libraries is complete."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.text import TOP

FOLDER = TOP / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
HEADINGS = (
    ["Context", "Choice", "Price", "Look again when"],
    ["Context", "Choice", "Not chosen", "Price", "Look again when"],
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_number_and_the_headings(page):
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {page.name[:4]} [A-Z]", text)
    assert re.findall(r"^#{1,2} (.*)$", text, re.MULTILINE)[1:] in HEADINGS
    assert re.search(r"^(\*\*)?(Context|Choice|Not chosen|Price|Look again)( when)?[.:*]", text, re.MULTILINE) is None


def test_the_index_lists_every_page_in_the_order_of_the_numbers():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\((.*?)\) \|", index, re.MULTILINE)
    assert rows == [(page.name[:4], page.name) for page in PAGES]


def test_the_table_of_libraries_has_those_of_the_project_and_no_others():
    rows = re.findall(r"^\| (.*?) \|", (FOLDER / "0008-dependencies.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = rows[rows.index("library") + 1 : rows.index("module")]
    told = {name for row in names for name in row.split(", ") if "(npm)" not in name}
    told = {re.match(r"[\w-]*", name)[0] for name in told}
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += project["dependency-groups"].values()
    wanted = {re.match(r"[\w-]+", entry)[0] for group in groups for entry in group if isinstance(entry, str)}
    assert told - {""} == wanted
