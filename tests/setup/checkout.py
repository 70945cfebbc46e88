# SPDX-License-Identifier: MIT
"""A checkout with the real Makefile and lock files of one small wheel, which installs without the internet."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

from tests.setup.locks import ROOT

# The Python below .venv; the Makefile is told which, as the tests run with any.
PYTHON = getattr(sys, "_base_executable", sys.executable)

WHOLE = {
    "whole.py": "",
    "whole-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: whole\nVersion: 1.0\n",
    "whole-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
BACKEND = '''
import pathlib, zipfile

def build_editable(folder, settings=None, metadata=None):
    """Make the wheel of a package of which nothing but its name is installed."""
    name = "here-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name

FILES = {
    "here-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: here\\nVersion: 1.0\\n",
    "here-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "here-1.0.dist-info/RECORD": "",
}
'''
PROJECT = """
[project]
name = "here"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def one_wheel(folder: Path) -> str:
    """Put a wheel into a folder, and return the line of a lock file that names it."""
    wheel = folder / "whole-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in WHOLE.items():
            archive.writestr(name, text)
        archive.writestr("whole-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in WHOLE))
    return f"whole==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def checkout(folder: Path) -> Path:
    """Make the checkout, with a wheel beside its lock files."""
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    line = one_wheel(folder)
    for lock in ROOT.glob("requirements*.lock"):
        (folder / lock.name).write_text(line if lock.stem.endswith(("-run", "-dev")) else "# none\n", encoding="utf-8")
    return folder


def surroundings(folder: Path, **settings: str) -> dict[str, str]:
    """What make and pip find in the environment: the wheel alone, and nothing of a make that runs the tests."""
    of_make = re.compile(r"MAKE|MFLAGS|PYTHON|PIP_|ARGS$")
    kept = {name: value for name, value in os.environ.items() if not of_make.match(name)}
    # With this setting pip does it; the folder's name would be several to it, as it has spaces.
    return {**kept, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder.as_uri(), "PIP_CONFIG_FILE": os.devnull, **settings}
