# SPDX-License-Identifier: MIT
"""How much memory a process has."""

from __future__ import annotations

from pathlib import Path


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of a process in MiB, or with `VmHWM` the most that it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
