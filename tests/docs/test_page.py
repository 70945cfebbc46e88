# SPDX-License-Identifier: MIT
"""The page: what it holds, how it is served, and that nothing in the document can break out of it."""

from __future__ import annotations

import html
import re
import shlex
from copy import deepcopy
from typing import Any

import pytest

from app.documentation.page.render import highlight, render
from app.documentation.page.view import command
from app.main import documents
from routers import subjects
from tests.docs.test_asyncapi import NAMES


@pytest.fixture(scope="module")
def page() -> str:
    return documents().routes()["/docs"]()[1].decode()


@pytest.mark.parametrize("name", [*NAMES, "user_profile.updated", "UserMetadata", "transport", "tokens", "errors"])
def test_everything_can_be_linked_to(page: str, name: str) -> None:
    assert page.count(f'id="{name}"') == 1
    assert f'class="anchor" href="#{name}"' in page


@pytest.mark.parametrize("name", NAMES)
def test_the_contents_list_names_every_subject(page: str, name: str) -> None:
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert f'href="#{name}"' in contents


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) - set(ids) == set()


def test_a_command_can_be_pasted(page: str) -> None:
    assert "nats req" in page
    assert command("lfx.auth-service.email_to_sub", "ada@example.org") == (
        "nats req 'lfx.auth-service.email_to_sub' 'ada@example.org'"
    )


@pytest.mark.parametrize("body", ["it's", '$HOME `id` \\ "x"', "a\nb", "''"])
def test_a_shell_takes_a_body_as_it_is(body: str) -> None:
    assert shlex.split(command("subject", body)) == ["nats", "req", "subject", body]


def test_every_error_stands_on_the_page_with_its_meaning(page: str) -> None:
    for subject in subjects():
        for error in subject.errors:
            assert f"<code>{html.escape(error.wire)}</code>" in page


def test_it_says_what_is_answered_to_an_empty_field(page: str) -> None:
    assert "Missing or empty: <code>link_with identity token is required</code>" in page


def test_it_loads_nothing_from_elsewhere(page: str) -> None:
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page) == []


def test_it_has_no_script_or_style_of_its_own(page: str) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page) == []


def test_the_policy_allows_nothing_but_its_own_assets() -> None:
    _, _, headers = documents().routes()["/docs"]()
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


def test_nothing_is_served_but_the_page_its_assets_and_the_document() -> None:
    assert {path.partition("?")[0] for path in documents().routes()} == {
        "/docs",
        "/docs/page.css",
        "/docs/page.js",
        "/docs/icon.svg",
        "/asyncapi.yaml",
        "/asyncapi.json",
    }


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/docs", "text/html"),
        ("/docs/page.css", "text/css"),
        ("/docs/page.js", "text/javascript"),
        ("/docs/icon.svg", "image/svg+xml"),
        ("/asyncapi.yaml", "application/yaml"),
        ("/asyncapi.json", "application/json"),
    ],
)
def test_it_has_the_right_media_type(path: str, media_type: str) -> None:
    found, body, _ = documents().routes()[path]()
    assert (found, bool(body)) == (media_type, True)


def test_an_asset_that_changes_gets_a_new_address(page: str) -> None:
    (address,) = re.findall(r'href="(docs/page\.css\?[0-9a-f]{12})"', page)
    routes = documents().routes()
    assert "immutable" in routes[f"/{address}"]()[2]["Cache-Control"]
    assert routes["/docs/page.css"]()[2] == {}


EVIL = '<script>alert("1")</script><img src=x onerror=alert(1)> [x](javascript:alert(1))'


def poisoned(part: Any) -> Any:
    if isinstance(part, dict):
        told = {"description", "summary", "meaning", "error", "payload"}
        return {key: EVIL if key in told and isinstance(value, str) else poisoned(value) for key, value in part.items()}
    return [poisoned(item) for item in part] if isinstance(part, list) else part


def test_no_text_of_the_document_becomes_markup() -> None:
    html = render(poisoned(deepcopy(documents().document)))
    assert "&lt;script&gt;alert" in html
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert 'href="javascript' not in html


def test_json_is_coloured_and_escaped() -> None:
    assert highlight('{"a": ["<b>", 1, true]}') == (
        '{<span class="key">&#34;a&#34;</span>: [<span class="string">&#34;&lt;b&gt;&#34;</span>, '
        '<span class="number">1</span>, <span class="word">true</span>]}'
    )
