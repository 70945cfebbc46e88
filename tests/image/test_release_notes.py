# SPDX-License-Identifier: MIT
"""What a release says of itself: the changelog's section, taken by the workflow's own step."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.image.dockerfile import ROOT
from tests.image.test_release import job, outputs

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def notes_of(version, folder):
    found = outputs(job("release.yml", "notes")["steps"], "notes", folder, VERSION=version)
    return None if found is None else found["notes"]


def test_the_notes_of_a_version_are_its_section_and_nothing_else(tmp_path):
    notes = notes_of("1.0.0", tmp_path)
    assert notes.startswith("The first version with a stable contract")
    assert "- `impersonation.token_exchange` accepts `audience`" in notes
    assert notes.endswith("lock files install exactly the listed packages.")
    assert "## [" not in notes
    assert notes in CHANGELOG


def test_the_last_section_ends_before_the_links(tmp_path):
    assert notes_of("0.1.0", tmp_path).endswith("signs its artifacts.")


@pytest.mark.parametrize("version", ["9.9.9", "1.0", "1.0.00", "", "Unreleased x"])
def test_a_version_of_which_nothing_is_said_is_not_released(version, tmp_path):
    assert notes_of(version, tmp_path) is None


def test_nothing_is_published_before_there_are_notes():
    assert "notes" in job("release.yml", "image")["needs"]
    assert "image" in job("release.yml", "chart")["needs"]
    assert job("release.yml", "release")["steps"][0]["env"]["NOTES"] == "${{ needs.notes.outputs.notes }}"


def test_the_package_has_a_version_of_which_something_is_said(tmp_path):
    assert notes_of(VERSION, tmp_path)
    assert f"version: {VERSION}\n" in (ROOT / "asyncapi.yaml").read_text(encoding="utf-8")


def test_the_changelog_has_the_form_of_keep_a_changelog():
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGELOG, re.MULTILINE)
    assert versions[0] == ("Unreleased", "")
    released = versions[1:]
    assert released == sorted(released, key=lambda one: tuple(map(int, one[0].split("."))), reverse=True)
    assert all(date for _, date in released)
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS
    assert set(re.findall(r"^\[(.+)\]: https://", CHANGELOG, re.MULTILINE)) == {name for name, _ in versions}
