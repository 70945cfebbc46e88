# SPDX-License-Identifier: MIT
"""What README.md says of subjects, settings and make; its other commands are run by test_commands."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from app.cli import subject_names
from tests.docs.tables import TOP

README = (TOP / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "what"), [("make run", "auth-service dev"), ("make test", "-m pytest")])
def test_a_make_command_does_what_the_page_says(command, what):
    assert f"\n{command}\n" in README
    done = subprocess.run([*shlex.split(command), "--dry-run"], cwd=TOP, capture_output=True, text=True, check=False)
    assert what in done.stdout


def test_the_list_of_subjects_has_all_sixteen():
    listed = re.findall(r"^\| `([a-z_.0-9]+)` \|", README, re.MULTILINE)
    assert listed == subject_names()
    assert len(listed) == 16


def test_the_settings_shown_have_the_defaults_of_the_whole_list():
    whole = (TOP / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name, default in re.findall(r"^\| `([A-Z0-9_]+)` \| (\S*) ?\|", README, re.MULTILINE):
        if name != "REQUEST_TIMEOUT":  # shown with what NATS_TIMEOUT makes of it
            assert re.search(rf"^\| `{name}` \| {re.escape(default)} ?\|", whole, re.MULTILINE), name


def test_auth0_requires_as_many_settings_as_the_page_says():
    whole = (TOP / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| `AUTH0_[A-Z0-9_]+` \| \| Required", whole, re.MULTILINE)) == 6
    assert "Auth0 needs six." in README
