# SPDX-License-Identifier: MIT
"""What MkDocs calls while it builds the site: pages from the top folder, links out of docs, folders to navigate."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[3]
FROM_TOP = {
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "deploy/helm/lfx-v2-auth-service/README.md": "operations/chart.md",
}
"""Pages that stand where code hosts look for them, and their addresses on the site."""
ASSETS = {
    "asyncapi.yaml": "asyncapi.yaml",
    "app/documentation/page/static/icon.svg": "assets/icon.svg",
    "build/npm/mermaid.min.js": "assets/mermaid.min.js",
    "build/npm/mermaid.LICENSE": "assets/mermaid.LICENSE",
}
"""Files that are copied, and their addresses on the site."""
LINK = re.compile(r"(?<!!)(\[(?:[^\]\\]|\\.)*\])\(([^)\s#]+)(#[^)\s]*)?\)")
CODE_IN_ROW = re.compile(r"`[^`\n]*`")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace each `folder/*.md` of the navigation with the pages that it stands for."""
    config.nav = expanded(config.nav, named(config.nav))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands outside docs."""
    for source, target in FROM_TOP.items():
        files.append(File.generated(config, target, content=(TOP / source).read_text(encoding="utf-8")))
    for source, target in ASSETS.items():
        files.append(File.generated(config, target, abs_src_path=str(TOP / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Lead links to files outside docs to where they are on the site, or else to the sources; mend rows of tables."""
    origin = {target: source for source, target in FROM_TOP.items()}
    folder = posixpath.dirname(origin.get(page.file.src_uri) or f"docs/{page.file.src_uri}")

    def led(match: re.Match[str]) -> str:
        text, path, anchor = match[1], match[2], match[3] or ""
        if ":" in path:
            return match[0]
        return f"{text}({address(posixpath.normpath(posixpath.join(folder, path)), page, config)}{anchor})"

    parts = FENCE.split(markdown)
    return "".join(part if FENCE.match(part) else with_bars(LINK.sub(led, part)) for part in parts)


def with_bars(markdown: str) -> str:
    r"""Return the text with bare bars in the code of tables: code hosts ask for `\|`, here its backslash would show."""
    rows = (
        CODE_IN_ROW.sub(lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line
        for line in markdown.split("\n")
    )
    return "\n".join(rows)


def address(path: str, page: Page, config: MkDocsConfig) -> str:
    """Return what to link to for a file, given by its path from the top."""
    if path == "README.md":
        path = "docs/README.md"
    inside = FROM_TOP.get(path) or ASSETS.get(path) or path.removeprefix("docs/")
    if inside == path and path not in ASSETS:
        return str(config.extra["source"]) + path
    return posixpath.relpath(inside, posixpath.dirname(page.file.src_uri) or ".")


def named(nav: list[Any] | dict[str, Any] | str) -> set[str]:
    """Return the pages that the navigation names itself."""
    if isinstance(nav, str):
        return {nav}
    return set().union(*(named(part) for part in (nav.values() if isinstance(nav, dict) else nav)))


def expanded(nav: list[Any], taken: set[str]) -> list[Any]:
    """Return the navigation with pages in the place of patterns, and without sections that hold none."""
    parts: list[Any] = []
    for part in nav:
        if isinstance(part, dict):
            ((title, inner),) = part.items()
            within = expanded(inner, taken) if isinstance(inner, list) else inner
            parts += [{title: within}] if within else []
        elif part.endswith("*.md"):
            found = (path.relative_to(TOP / "docs").as_posix() for path in sorted((TOP / "docs").glob(part)))
            parts += [path for path in found if path not in taken]
        else:
            parts.append(part)
    return parts
