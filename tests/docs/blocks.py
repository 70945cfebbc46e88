# SPDX-License-Identifier: MIT
r"""The blocks of a page that can be run, and what a page says of them.

A page says in a comment at its top what stands behind its commands: `<!-- commands: service -->`, or with what has
to be installed for them, `<!-- commands: service; go -->`. Blocks of the language `sh` are run one after the other in
one folder. A comment on the line before a block says what is particular to it:

    <!-- file: ask.py -->            the block is kept as a file of that name, for the commands after it
    <!-- exit: 1 -->                 the exit status that is expected; 0 unless said
    <!-- until: Ctrl-C ends -->      the command goes on by itself once it has said that
    <!-- log: code (\d+) as CODE -->  the command finds in $CODE what the service has logged
    <!-- run by: tests/a.py -->      that test reads the block from the page, and runs it
    <!-- not run: why -->            the block is there to be read, and nothing else shows whether it is right

A block of `text` or `json` after a command is what it puts out; `…` stands for anything in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.docs.tables import TOP

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = "sh"
OUTPUT = ("text", "json")
DRAWN = "mermaid"
PAGES = sorted(
    path
    for path in [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md"), *(TOP / "deploy").rglob("*.md")]
    if "node_modules" not in path.parts
)
FENCE = re.compile(
    r"^(?: *<!-- (?P<key>file|exit|until|log|run by|not run): (?P<value>.*?) -->\n)?"
    r"(?P<indent> *)```(?P<language>[\w+-]*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
BEHIND = re.compile(r"^<!-- commands: (?P<world>[\w-]+)(?:; (?P<tools>[\w ,-]+))? -->$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block, what the page says of it, and the output shown after it."""

    where: str
    language: str
    text: str
    key: str = ""
    value: str = ""
    output: str | None = None

    @property
    def is_run(self):
        """Whether it is a command to be run."""
        return self.language == COMMANDS and self.key not in ("file", "run by", "not run")

    @property
    def status(self):
        """The exit status that is expected."""
        return int(self.value) if self.key == "exit" else 0


def blocks(page: Path) -> list[Block]:
    """The blocks of a page; one that is the output of the one before it is part of that."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        body = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        is_output = match["language"] in OUTPUT and not match["key"]
        if is_output and found and found[-1].is_run and found[-1].output is None:
            found[-1] = Block(**{**vars(found[-1]), "output": body})
        else:
            where = f"{page.relative_to(TOP)}:{line}"
            found.append(Block(where, match["language"], body, match["key"] or "", match["value"] or ""))
    return found


def behind(page: Path) -> tuple[str, tuple[str, ...]]:
    """What stands behind the commands of a page, and what has to be installed for them; empty when it has none."""
    match = BEHIND.search(page.read_text(encoding="utf-8"))
    if not match:
        return "", ()
    return match["world"], tuple(tool.strip() for tool in (match["tools"] or "").split(",") if tool.strip())


CLONE = "clone"
"""What stands behind a page that begins with nothing: it brings all along, and needs the internet for it."""


def pages(*, with_tools: bool) -> list[Path]:
    """The pages whose commands need tools beside Python or the internet, or those whose commands need neither."""
    demands = {page: behind(page) for page in PAGES if behind(page)[0]}
    return [page for page, (world, tools) in demands.items() if bool(tools or world == CLONE) == with_tools]


def fits(shown: str, seen: str) -> bool:
    """Whether what was put out is what the page shows; `…` stands for anything, alone on a line for any lines."""
    pattern = re.escape(shown.strip()).replace(re.escape("…"), ".*")
    return re.fullmatch(pattern, seen.strip(), re.DOTALL) is not None
