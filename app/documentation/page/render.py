# SPDX-License-Identifier: MIT
"""Renders the document as HTML, once for all readers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from app.documentation.page.assets import address
from app.documentation.page.view import page

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

_FAULTS: Final = {
    "caller_error": "request",
    "conflict": "conflict",
    "limit": "limit",
    "upstream_error": "upstream",
    "internal_error": "service",
}
_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)


def render(document: dict[str, Any]) -> str:
    """Return the page of an AsyncAPI 3 document as HTML."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "markdown": lambda text: Markup(markdown.render(text)),  # noqa: S704 - the renderer escapes, HTML is off
        "inline": lambda text: Markup(markdown.renderInline(text)),  # noqa: S704 - as above
        "json": highlight,
        "words": words,
        "breakable": lambda name: Markup("<wbr>").join(re.findall(r"[^._]+[._]*", name)),
        "anchor": lambda text: text.lower().replace(" ", "-"),
    }
    return environment.get_template("page.html").render(page=page(document), asset=address, faults=_FAULTS)


def words(command: str) -> Markup:
    """Return a shell command with its quoted words marked up, so that lines break between them."""
    parts = re.split(r"(?<= )(?=')", command)
    return Markup().join([parts[0], *(Markup('<span class="quoted">{}</span>').format(part) for part in parts[1:])])


def highlight(text: str) -> Markup:
    """Return JSON with its parts marked up for colours."""
    parts, end = [], 0
    for token in _TOKEN.finditer(text):
        parts += [
            escape(text[end : token.start()]),
            Markup('<span class="{}">{}</span>').format(token.lastgroup, token[0]),
        ]
        end = token.end()
    return Markup().join([*parts, escape(text[end:])])
