# SPDX-License-Identifier: MIT
"""The command's output: tables of at most 80 columns, coloured on a terminal only, and progress on standard error."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.tenant.findings import Finding, State, Step
from app.cli.terminal import WIDTH, printable
from app.interruption import interruptible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.status import Status

_LONGEST: Final = 2_000
"""Characters of a line that are shown: names in a tenant may be of any length."""

_COLOURS: Final = {State.OK: "green", State.MISSING: "red", State.DIFFERS: "yellow", State.UNKNOWN: "magenta"}


class Screen:
    """Standard output for what was found, standard error for what goes on."""

    def __init__(self) -> None:
        # Nothing in a text is markup or a highlight: much of it is the tenant's own words.
        self.out, self.err = _console(), _console(stderr=True)
        if isinstance(sys.stdout, io.TextIOWrapper) and not self.out.encoding.startswith("utf"):
            sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself

    def say(self, text: str) -> None:
        """Print a line, folded where it is too long."""
        self.out.print(Text(_line(text)), soft_wrap=False)

    def complain(self, *lines: str) -> None:
        """Print lines on standard error."""
        self.err.print(Text("\n".join(map(_line, lines))), soft_wrap=False)

    def working(self, text: str) -> Status:
        """Return a context while which a terminal shows what is going on."""
        return self.err.status(Text(_line(text)))

    def table(self, findings: Sequence[Finding]) -> None:
        """Print a row for each requirement."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), width=self.out.width)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", ratio=1)
        for one in findings:
            details = _line(one.details) + (f"\n→ {_line(one.remedy)}" if one.remedy else "")
            table.add_row(Text(one.what), Text(str(one.state), _COLOURS[one.state]), Text(details))
        self.out.print(table)

    def plan(self, steps: Sequence[Step], *, adopt: bool) -> None:
        """Print the steps in their order."""
        for number, step in enumerate(steps, 1):
            blocked = "" if adopt or not step.foreign else " (only with --adopt: not made for the service)"
            self.say(f"{number:2}. {step.what}{blocked}")
        if not steps:
            self.say("Nothing is to be done.")

    def agrees(self) -> bool:
        """Ask whether the steps are to be made. Raises KeyboardInterrupt."""
        try:
            with interruptible():
                return typer.confirm("Do that?", err=True)
        except (RuntimeError, ValueError, OSError):  # Abort is the first; the others: closed, no text, a folder
            if sys.stdin and not sys.stdin.closed and sys.stdin.isatty():
                raise KeyboardInterrupt from None
            self.complain("Nobody can answer, so nothing was done. Use --yes to run without the question.")
            return False


def _console(*, stderr: bool = False) -> Console:
    console = Console(markup=False, highlight=False, emoji=False, stderr=stderr)
    # What is longer than a line of the terminal could not be taken back when the line is written anew.
    if not console.is_terminal or console.width > WIDTH:
        console.width = WIDTH
    return console


def _line(text: str) -> str:
    """Return `text` as one line of bounded length in which nothing rules the terminal."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return printable(cut.replace("\n", " ").replace("\t", " "))


def as_json(content: object) -> str:
    """Return JSON as scripts get it."""
    return json.dumps(content, indent=2)
