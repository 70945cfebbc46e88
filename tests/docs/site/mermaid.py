# SPDX-License-Identifier: MIT
"""`python -m tests.docs.site.mermaid`: put the script that draws diagrams, and its licence, into build/npm.

It comes from the registry that npm is set up for, as the one file of that release which needs no other, and is
compared with the digest that stands here. Material for MkDocs is written for version 11.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.docs.parser.__main__ import MISSING, find

VERSION = "11.17.2"
INTEGRITY = "sha512-V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg=="
WHERE = Path(__file__).parents[3] / "build" / "npm"
MEMBERS = {"package/dist/mermaid.min.js": "mermaid.min.js", "package/LICENSE": "mermaid.LICENSE"}


def main() -> int:
    commands = find()
    if commands is None:
        sys.stderr.write(MISSING + "\n")
        return 1
    archive = WHERE / f"mermaid-{VERSION}.tgz"
    if not archive.is_file():
        WHERE.mkdir(parents=True, exist_ok=True)
        pack = [*commands[1], "pack", f"mermaid@{VERSION}", "--silent", "--pack-destination", str(WHERE)]
        subprocess.run(pack, cwd=WHERE, check=True, stdout=subprocess.DEVNULL)
    if (found := integrity(archive)) != INTEGRITY:
        archive.unlink()
        sys.stderr.write(f"{archive.name} is not the file that is expected: its digest is {found}\n")
        return 1
    with tarfile.open(archive) as package:
        for member, name in MEMBERS.items():
            (WHERE / name).write_bytes(package.extractfile(member).read())
    return 0


def integrity(file: Path) -> str:
    """The digest of a file, as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()


if __name__ == "__main__":
    sys.exit(main())
