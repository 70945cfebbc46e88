# SPDX-License-Identifier: MIT
"""A failing test whose log, output or message holds half surrogates is shown, also by another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAILING = r"""
import logging

def test_logged():
    logging.getLogger("a").error("logged \ud800")
    assert False

def test_said():
    raise ValueError("said \udfff")

def test_compared():
    assert "compared \ud800" == "b"
"""


def test_half_surrogates_in_reports_end_no_run(tmp_path):
    # The hook is what every test here has: it stands in tests/conftest.py.
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_runtest_makereport\n")
    (tmp_path / "test_failing.py").write_text(FAILING)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses=1", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    shown = done.stdout.decode()
    assert done.returncode == 1, shown
    assert "3 failed" in shown
    assert "INTERNALERROR" not in shown
    assert "logged \\ud800" in shown
