# SPDX-License-Identifier: MIT
"""The documentation site in a real browser: what it loads, what is drawn, whether it can be read and searched."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.conftest import Browser
from tests.docs.tables import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SITE = TOP / "build" / "site"
PATHS = sorted(f"/{page.parent.relative_to(SITE)}/".replace("/./", "/") for page in SITE.rglob("index.html"))
FLOWS = "/callers/flows/"
PATIENCE = 20


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """The address of a server of what was built."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def looked_at(origin: str, new_browser: Callable[[str], Browser]) -> Iterator[Browser]:
    """One browser for all pages, since starting one takes longer than reading a page."""
    made = new_browser(origin)
    yield made
    made.driver.quit()


def drawn(browser: Browser) -> list[str]:
    """The texts of every drawing on the page; Material draws where scripts of the page cannot look."""
    tree = browser.driver.execute_cdp_cmd("DOM.getDocument", {"depth": -1, "pierce": True})["root"]
    return [" ".join(texts(part)) for part in find(tree, "svg") if "sequence" in str(part.get("attributes"))]


def find(node: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    if node.get("nodeName") == name:
        yield node
    for child in node.get("children", []) + node.get("shadowRoots", []):
        yield from find(child, name)


def texts(node: dict[str, Any]) -> Iterator[str]:
    if node.get("nodeName") == "#text":
        yield node["nodeValue"].strip()
    for child in node.get("children", []):
        yield from texts(child)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_asks_nothing_of_anybody_else_and_complains_of_nothing(looked_at: Browser, path: str) -> None:
    looked_at.requested()
    looked_at.complaints()
    looked_at.open(path, width=1280)
    assert looked_at.complaints() == []
    requested = looked_at.requested()
    assert path in requested
    assert [address for address in requested if not address.startswith("/")] == []


def test_every_flow_is_drawn(looked_at: Browser) -> None:
    looked_at.open(FLOWS, width=1280)
    WebDriverWait(looked_at.driver, PATIENCE).until(lambda _: len(drawn(looked_at)) == 5)
    drawings = drawn(looked_at)
    assert ["platform service" in drawings[0], "authorization code" in drawings[1]] == [True, True]
    assert "user_metadata.update {token, user_metadata}" in drawings[2]
    assert "connection=google-oauth2" in drawings[3]
    assert "email_linking.verify {email, otp}" in drawings[4]
    assert looked_at.complaints() == []
    assert [address for address in looked_at.requested() if not address.startswith("/")] == []


def test_the_policy_stops_what_would_leave(looked_at: Browser) -> None:
    looked_at.open("/", width=1280)
    refused = looked_at.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        "const image = document.createElement('img');"
        "image.src = 'http://127.0.0.2:9/pixel';"
        "document.body.append(image);"
    )
    assert refused == "img-src"
    looked_at.complaints()


def test_the_search_finds_an_error(looked_at: Browser) -> None:
    looked_at.open("/", width=1280)
    field = looked_at.driver.find_element("css selector", "input[data-md-component='search-query']")
    looked_at.run("document.querySelector('#__search').checked = true; arguments[0].focus()", field)
    field.send_keys("system_managed_identity")
    found = "return [...document.querySelectorAll('.md-search-result__link')].map((link) => link.pathname)"
    WebDriverWait(looked_at.driver, PATIENCE).until(lambda _: looked_at.run(found))
    assert any(path.startswith("/callers/errors/") for path in looked_at.run(found))
    assert looked_at.complaints() == []


@pytest.mark.parametrize("path", PATHS)
def test_nothing_scrolls_sideways_on_a_phone(looked_at: Browser, path: str) -> None:
    looked_at.open(path, width=360)
    looked_at.run("scrollTo({left: 1000})")
    assert looked_at.run("return scrollX") == 0


def test_there_are_pages_to_look_at() -> None:
    assert {"/", "/start/", FLOWS, "/contributing/"} <= set(PATHS)
    assert json.loads((SITE / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
