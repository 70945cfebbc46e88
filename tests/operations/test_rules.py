# SPDX-License-Identifier: MIT
"""The alerts, judged by promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]
PROMTOOL = TOP / "build" / "promtool" / "promtool"
RULES = TOP / "deploy" / "helm" / "lfx-v2-auth-service" / "files" / "rules.yaml"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *arguments], check=False, capture_output=True, text=True, timeout=60)


def test_the_rules_are_valid():
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert (checked.returncode, "12 rules found" in checked.stdout) == (0, True), checked.stdout + checked.stderr


def test_each_alert_fires_when_it_should_and_only_then():
    tried = promtool("test", "rules", str(Path(__file__).with_name("rules.test.yaml")))
    assert tried.returncode == 0, tried.stdout + tried.stderr
