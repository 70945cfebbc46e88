# SPDX-License-Identifier: MIT
"""What was built is whole and loads nothing from another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from tests.docs.tables import TOP

SITE = TOP / "build" / "site"
PAGES = sorted(SITE.rglob("*.html"))
LOADING = ("script", "img", "source", "iframe", "video", "audio", "embed")
FETCHED = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")
HERE = "https://site.invalid/"


class Loaded(HTMLParser):
    """The addresses that a browser fetches for a page, and those that it may follow."""

    def __init__(self):
        super().__init__()
        self.fetched, self.followed, self.styles, self.diagrams, self._in_style = [], [], "", 0, False

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self._in_style = tag == "style"
        self.styles += found.get("style") or ""
        self.diagrams += found.get("class") == "mermaid"
        if tag in LOADING and found.get("src"):
            self.fetched.append(found["src"])
        if tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(found["href"])
        if tag == "a" and found.get("href"):
            self.followed.append(found["href"])

    def handle_data(self, data):
        if self._in_style:
            self.styles += data


def read(page):
    loaded = Loaded()
    loaded.feed(page.read_text(encoding="utf-8"))
    return loaded


def foreign(addresses):
    return [address for address in addresses if urlsplit(address).netloc or address.startswith("//")]


def fetched_by(style):
    return [one or other for one, other in FETCHED.findall(style) if not (one or other).startswith("data:")]


def test_the_site_was_built():
    assert SITE / "index.html" in PAGES
    assert len(PAGES) > len(list((TOP / "docs" / "decisions").glob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_a_page_loads_nothing_from_another_host(page):
    loaded = read(page)
    assert foreign(loaded.fetched) == []
    assert foreign(fetched_by(loaded.styles)) == []
    assert "default-src 'self'" in page.read_text(encoding="utf-8")


def test_no_stylesheet_loads_anything_from_another_host():
    styles = list(SITE.rglob("*.css"))
    assert styles
    assert [address for style in styles for address in foreign(fetched_by(style.read_text(encoding="utf-8")))] == []


def test_every_page_of_docs_is_on_the_site():
    sources = [path.relative_to(TOP / "docs") for path in (TOP / "docs").rglob("*.md")]
    built = {page.parent.relative_to(SITE).as_posix() for page in PAGES}
    expected = {(path.parent if path.name == "README.md" else path.with_suffix("")).as_posix() for path in sources}
    assert expected | {"contributing", "security-policy"} <= built


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SITE)))
def test_what_a_page_loads_and_links_to_is_there(page):
    if page.name == "404.html":  # shown at any address, so its links begin with /
        return
    loaded, base = read(page), HERE + page.relative_to(SITE).as_posix()
    own = [urlsplit(urljoin(base, link)) for link in loaded.fetched + loaded.followed]
    paths = {SITE / link.path.lstrip("/") for link in own if link.netloc == urlsplit(HERE).netloc}
    assert [str(path) for path in paths if not (path.is_file() or (path / "index.html").is_file())] == []


def test_the_script_of_diagrams_is_brought_only_where_there_is_one():
    for page in PAGES:
        loaded = read(page)
        assert any(address.endswith("mermaid.min.js") for address in loaded.fetched) == bool(loaded.diagrams), page


def test_the_scripts_that_are_shown_on_have_their_licence_beside_them():
    assert "The MIT License" in (SITE / "assets" / "mermaid.LICENSE").read_text(encoding="utf-8")


def test_the_document_of_the_subjects_can_be_fetched():
    assert (SITE / "asyncapi.yaml").read_bytes() == (TOP / "asyncapi.yaml").read_bytes()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SITE).as_posix())
def test_no_cell_of_a_table_shows_how_a_bar_is_escaped(page):
    cells = re.findall(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert [cell for cell in cells if "\\|" in cell] == []


def test_code_with_a_bar_stands_whole_in_its_cell():
    page = (SITE / "providers" / "auth0" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"<td>[^<]*(<[^t][^<]*)*<code>email\|…</code>", page)
