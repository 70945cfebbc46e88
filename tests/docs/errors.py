# SPDX-License-Identifier: MIT
"""The table of errors: the string and its meaning from the code, the advice as somebody wrote it on the page."""

from __future__ import annotations

import re

from app.documentation.page.view import page
from app.domain.errors import Fault
from app.main import documents
from tests.docs.text import TOP, table

PAGE = TOP / "docs" / "callers" / "errors.md"
ROW = re.compile(r"^\| `([^`]+)` \| .*? \| (.*) \|$", re.MULTILINE)
FAULTS = {
    Fault.CALLER: "Errors in the request",
    Fault.CONFLICT: "Conflicts",
    Fault.LIMIT: "Limits and timeouts",
    Fault.UPSTREAM: "Something that the service depends on failed",
    Fault.OWN: "The service failed",
}
UNWRITTEN = "?"


def failures():
    """Every error that a reply can carry, those for a malformed body included, each once."""
    entries = (entry for area in page(documents().document).areas for entry in area.entries)
    return {failure.error: failure for entry in entries for failure in entry.failures}


def advice():
    """What the page advises, by error."""
    return dict(ROW.findall(PAGE.read_text(encoding="utf-8")))


def errors():
    """Every error, for docs/callers/errors.md: grouped by whose fault it is, in the order of the subjects' checks."""
    written = advice()
    parts = []
    for fault, title in FAULTS.items():
        rows = (
            (f"`{one.error}`", one.meaning, written.get(one.error, UNWRITTEN))
            for one in failures().values()
            if one.fault == fault
        )
        parts.append(f"## {title}\n\n" + table(("error", "means", "what to do"), rows))
    return "\n\n".join(parts)
