# SPDX-License-Identifier: MIT
"""The configuration: any variables, with any values, and any content of the files that they name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import providers
from app.settings import ConfigurationError, Settings
from app.settings.types import Section

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
VARIABLES = sorted(
    (str(field.validation_alias), "Path" in str(field.annotation))
    for section in Section.__subclasses__()
    for field in section.model_fields.values()
)
"""Every variable, and whether it names a file."""


def read(data: bytes) -> None:
    """Each line is a variable (two hexadecimal digits: its number in `VARIABLES`) and its value; backslashes go on."""
    kept = dict(os.environ)
    names = [name for name, _ in VARIABLES]
    told = ""
    try:
        for name in names:
            os.environ.pop(name, None)
        for line in data.replace(b"\\\n", b"\x00").split(b"\n"):
            _set(line.replace(b"\x00", b"\n"))
        settings = Settings(further=providers.faults)
        assert all(isinstance(secret, str) for secret in settings.secrets)
    except ConfigurationError as error:
        told = str(error)
    finally:
        os.environ.clear()
        os.environ.update(kept)
    # Each line begins with the variables that it is about.
    for line in told.splitlines()[1:]:
        assert line.strip().split(":")[0].split(",")[0] in names, told


def _set(line: bytes) -> None:
    try:
        name, is_file = VARIABLES[int(line[:2], 16) % len(VARIABLES)]
    except ValueError:
        return
    value = line[2:]
    if is_file:
        path = FOLDER / name
        path.write_bytes(value)
        value = os.fsencode(path)
    os.environ[name] = os.fsdecode(value)
