# SPDX-License-Identifier: MIT
"""The service without any telemetry, `python -m tests.benchmarks.untold`: what it costs is measured against this."""

from __future__ import annotations

import sys

from app.main import run
from app.observability.telemetry import SubjectTelemetry
from app.settings import Settings


def _nothing(*_: object) -> None:
    """Neither count nor log nor trace."""


if __name__ == "__main__":
    SubjectTelemetry.answered = _nothing
    sys.exit(run(Settings()))
