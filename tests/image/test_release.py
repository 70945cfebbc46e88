# SPDX-License-Identifier: MIT
"""Which tags a release gives the image and the Go module: the steps of the workflows, run as they stand there."""

from __future__ import annotations

import os
import subprocess
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from tests.image.dockerfile import ROOT

IMAGE = "ghcr.io/linuxfoundation/lfx-v2-auth-service/server"


def job(workflow: str, name: str) -> dict:
    return yaml.safe_load((ROOT / ".github/workflows" / workflow).read_text(encoding="utf-8"))["jobs"][name]


def outputs(steps: list[dict], step: str, folder: Path, **environment: str) -> dict[str, str] | None:
    """Run a step, and return what it hands on; None when it fails."""
    script = next(one["run"] for one in steps if one.get("id") == step)
    written = folder / step
    written.touch()
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "GITHUB_OUTPUT": str(written), **environment}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=variables, capture_output=True, check=False)
    if done.returncode:
        return None
    found, lines = {}, iter(written.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, several, end = line.partition("<<")
        if several:
            found[name] = "\n".join(takewhile(end.__ne__, lines))
        else:
            name, _, found[name] = line.partition("=")
    return found


def tags_of(tag: str, folder: Path) -> list[str]:
    """The names under which the image of a tag is pushed."""
    version = outputs(job("release.yml", "version")["steps"], "version", folder, GITHUB_REF_NAME=tag)
    assert version is not None
    assert version["version"] == tag.removeprefix("v")
    names = outputs(job("image.yml", "image")["steps"], "names", folder, IMAGE=IMAGE, TAGS=version["tags"])
    assert names is not None
    return names["tags"].splitlines()


def test_a_release_moves_latest(tmp_path):
    assert tags_of("v1.2.3", tmp_path) == [f"{IMAGE}:v1.2.3", f"{IMAGE}:1.2.3", f"{IMAGE}:latest"]


@pytest.mark.parametrize("version", ["1.2.3-rc.1", "1.2.3-0", "2.0.0-alpha-2"])
def test_a_pre_release_does_not(version, tmp_path):
    assert tags_of(f"v{version}", tmp_path) == [f"{IMAGE}:v{version}", f"{IMAGE}:{version}"]


@pytest.mark.parametrize("tag", ["v1.2", "1.2.3", "v1.2.3+build", "v1.2.3-", "v1.2.3 latest", "v1.2.3\nlatest"])
def test_any_other_tag_is_refused(tag, tmp_path):
    assert outputs(job("release.yml", "version")["steps"], "version", tmp_path, GITHUB_REF_NAME=tag) is None


VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize(
    ("version", "good"),
    [(VERSION, True), (f"{VERSION}0", False), ("0.0.0", False), ("9.9.9-rc.1", True)],
    ids=["its own", "a longer one", "another", "a pre-release"],
)
def test_a_tag_is_of_the_version_that_the_service_tells(version, good, tmp_path):
    given = outputs(job("release.yml", "notes")["steps"], "compare", tmp_path, VERSION=version)
    assert (given is not None) is good


def test_the_image_of_a_branch_is_named_after_the_commit_that_it_is_built_from():
    assert job("branch.yml", "image")["with"]["tags"].splitlines()[1].endswith("-${{ github.sha }}")
    build = next(step for step in job("image.yml", "image")["steps"] if step.get("id") == "build")
    assert "REVISION=${{ github.sha }}" in build["with"]["build-args"]


def test_the_release_hands_the_image_these_tags_and_no_others():
    assert job("release.yml", "image")["with"]["tags"] == "${{ needs.version.outputs.tags }}"
    assert job("release.yml", "version")["outputs"]["tags"] == "${{ steps.version.outputs.tags }}"


GH = """\
#!/bin/sh
echo "$@" >> "$HOME/asked"
case "$*" in
*git/refs*) exit $REFUSES ;;
*) echo "$FOUND" ;;
esac
"""
"""The command `gh`: it makes a tag or says that it is there, and tells of which commit."""


def tagged(folder: Path, **environment: str) -> tuple[bool, list[str]]:
    """Whether the step that tags the Go module succeeds, and what it asks GitHub."""
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    (script,) = (step["run"] for step in job("release.yml", "client")["steps"])
    variables = {"GITHUB_REF_NAME": "v1.2.3", "GITHUB_SHA": "c0ffee", "GITHUB_REPOSITORY": "o/r", **environment}
    variables |= {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(["bash", "-c", script], env=variables, capture_output=True, check=False)
    return done.returncode == 0, (folder / "asked").read_text().splitlines()


def test_the_go_module_gets_the_tag_that_go_looks_for(tmp_path):
    wanted = "api --silent repos/o/r/git/refs -f ref=refs/tags/clients/go/v1.2.3 -f sha=c0ffee"
    assert tagged(tmp_path, REFUSES="0") == (True, [wanted])


@pytest.mark.parametrize(("found", "good"), [("c0ffee", True), ("decaf", False), ("", False)])
def test_a_tag_of_an_earlier_attempt_is_good_when_it_is_of_the_same_commit(found, good, tmp_path):
    assert tagged(tmp_path, REFUSES="1", FOUND=found)[0] is good


def test_the_go_module_is_tagged_only_when_all_is_published():
    assert job("release.yml", "client")["needs"] == "chart"
    assert job("release.yml", "client")["permissions"] == {"contents": "write"}


def test_the_go_module_is_named_for_its_version():
    major = VERSION.partition(".")[0]
    module = (ROOT / "clients/go/go.mod").read_text().splitlines()[0]
    assert module.endswith("/clients/go" if int(major) < 2 else f"/clients/go/v{major}")


def test_nothing_else_moves_latest():
    for workflow in ("main.yml", "branch.yml"):
        assert "latest" not in job(workflow, "image")["with"]["tags"].split()
