# SPDX-License-Identifier: MIT
"""Print what CHANGELOG.md says of a version: `python .ci/release_notes.py 1.2.3`.

A pre-release that has no section of its own gets that of what is not released yet. Exit status 1 when there is nothing
to say: a release without notes is stopped before anything is published.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
_SECTION = re.compile(r"^## \[([^\]]+)\](?: - \d{4}-\d\d-\d\d)?$", re.MULTILINE)
_LINKS = re.compile(r"^\[[^\]]+\]: \S+$", re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """Return what stands under each version in `text`, without the definitions of links."""
    parts = _SECTION.split(_LINKS.sub("", text))[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def notes(text: str, version: str) -> str:
    """Return the notes of `version`, the empty string when there are none."""
    found = sections(text)
    return found.get(version) or (found.get("Unreleased", "") if "-" in version else "")


def main() -> None:
    """Print the notes of the version that the command line names."""
    (version,) = sys.argv[1:]
    found = notes(CHANGELOG.read_text(encoding="utf-8"), version)
    if not found:
        sys.exit(f"CHANGELOG.md says nothing of {version}: add `## [{version}] - YYYY-MM-DD`")
    print(found)


if __name__ == "__main__":
    main()
