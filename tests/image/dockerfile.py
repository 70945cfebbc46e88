# SPDX-License-Identifier: MIT
"""The Dockerfile, as far as its steps can be followed without a container engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines joined."""

    name: str
    text: str


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: list[list[Instruction]] = []
    for line in filter(None, joined.splitlines()):
        name, _, text = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, text))
    return found


def only(stage: list[Instruction], name: str) -> str:
    """Return the text of the one instruction of that name."""
    (text,) = (instruction.text for instruction in stage if instruction.name == name)
    return text


def exec_form(text: str) -> list[str]:
    """Return the words of an instruction in exec form, `["a", "b"]`; the shell form is a ValueError."""
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def let_through(path: str) -> bool:
    """Tell whether .dockerignore leaves something at the top of the checkout in the build's context."""
    kept = True
    for pattern in (ROOT / ".dockerignore").read_text().splitlines():
        if fnmatch(path, pattern.removeprefix("!")):
            kept = pattern.startswith("!")
    return kept


def follow(folder: Path) -> Path:
    """Run the build stage's steps below `folder` with this Python and return what the final stage copies.

    Absolute paths of the Dockerfile stand below `folder`; what .dockerignore keeps away is not there.
    """
    context = folder / "build"
    context.mkdir()
    for instruction in stages()[0]:
        if instruction.name == "COPY":
            *sources, _target = instruction.text.split()
            for source in filter(let_through, sources):
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    (context / source).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, context / source)
        elif instruction.name == "RUN":
            steps = re.sub(r"/(tmp|opt)/", rf"{folder}/\1/", instruction.text)
            steps = re.sub(r"(?<![\w/])python -m venv", f"{sys.executable} -m venv", steps)
            done = subprocess.run(["/bin/sh", "-ec", steps], cwd=context, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder / "opt/auth-service"
