# SPDX-License-Identifier: MIT
"""Every source file names its licence; `python -m tests.support.licences --write` puts the line where it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]
LICENCE = "SPDX-License-Identifier: MIT"
NAMES = frozenset({"Makefile", "Dockerfile", "run"})
SUFFIXES = frozenset({".py", ".sh", ".yml", ".yaml"})
# What is compared to the letter with what a program writes, or is shown to a reader as an example.
GENERATED = ("asyncapi.yaml", "tests/chart/golden/", "tests/chart/values/")


def sources() -> list[str]:
    """Return the paths of the files that must name the licence, from the top of the checkout. Ends without git."""
    try:
        listed = subprocess.check_output(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"git must list the files, of which each names its licence: {error}")
    return [
        path
        for path in listed.splitlines()
        if (PurePath(path).name in NAMES or PurePath(path).suffix in SUFFIXES)
        and not path.startswith(GENERATED)
        and (ROOT / path).is_file()
        and (ROOT / path).stat().st_size
    ]


def missing() -> list[str]:
    """Return the paths of those that do not name it in their first three lines."""
    return [path for path in sources() if LICENCE not in "\n".join((ROOT / path).read_text().splitlines()[:3])]


def write(path: str) -> None:
    """Put the line at the top, below a line that says what runs the file."""
    lines = (ROOT / path).read_text().splitlines(keepends=True)
    at = 1 if lines[0].startswith("#!") else 0
    (ROOT / path).write_text("".join([*lines[:at], f"# {LICENCE}\n", *lines[at:]]))


def main() -> int:
    """Check, or write with `--write`; the exit status is 1 where a line is missing."""
    if "--write" in sys.argv[1:]:
        for path in missing():
            write(path)
    absent = missing()
    for path in absent:
        sys.stderr.write(f"{path}: the line `# {LICENCE}` is missing; `make format` adds it\n")
    return bool(absent)


if __name__ == "__main__":
    sys.exit(main())
