# SPDX-License-Identifier: MIT
"""What the command prints: tables that fit 80 columns, coloured on a terminal only; what goes on, on standard error."""

from __future__ import annotations

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

_COLOURS: Final = {State.OK: "green", State.MISSING: "red", State.DIFFERS: "yellow", State.UNKNOWN: "magenta"}


class Screen:
    """Standard output for what was found, standard error for what goes on."""

    def __init__(self) -> None:
        # Nothing in a text is markup or a highlight: much of it is the tenant's own words.
        self.out = Console(width=WIDTH, markup=False, highlight=False, emoji=False)
        self.err = Console(width=WIDTH, markup=False, highlight=False, emoji=False, stderr=True)

    def say(self, text: str) -> None:
        """Print a line, folded where it is too long."""
        self.out.print(Text(printable(text)), soft_wrap=False)

    def complain(self, text: str) -> None:
        """Print a line on standard error."""
        self.err.print(Text(printable(text)), soft_wrap=False)

    def table(self, findings: Sequence[Finding]) -> None:
        """Print a row for each requirement."""
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), width=WIDTH)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold", ratio=1)
        for one in findings:
            details = printable(one.details) + (f"\n→ {printable(one.remedy)}" if one.remedy else "")
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
        except typer.Abort:
            if sys.stdin.isatty():
                raise KeyboardInterrupt from None
            self.complain("Nobody is there to answer, so nothing was done; --yes does not ask.")
            return False


def as_json(content: object) -> str:
    """Return JSON as scripts get it."""
    return json.dumps(content, indent=2)
