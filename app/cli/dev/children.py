# SPDX-License-Identifier: MIT
"""The end of child processes."""

from __future__ import annotations

import subprocess
from typing import Final

PATIENCE: Final = 10.0
"""Seconds in which a child may end by itself."""


def end(child: subprocess.Popen[bytes], patience: float = PATIENCE) -> None:
    """End a child; kill it when it does not end by itself, for whatever reason: the machine may be busy."""
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
