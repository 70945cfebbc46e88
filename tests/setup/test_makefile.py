# SPDX-License-Identifier: MIT
"""The Makefile makes one whole environment."""

from __future__ import annotations

import subprocess

import pytest

from tests.setup.checkout import PYTHON, checkout, surroundings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("folder") / "a check out")


def start(folder, *arguments, **settings):
    return subprocess.Popen(
        ["make", *arguments],
        cwd=folder,
        env=surroundings(folder, **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def is_whole(folder):
    asked = [
        folder / ".venv/bin/python",
        "-I",
        "-c",
        "import whole; from importlib.metadata import version; version('here')",
    ]
    return subprocess.run(asked, check=False).returncode == 0 and not list(folder.glob(".venv/.unfinished*"))


def test_two_at_once_make_one_whole_environment(folder):
    target = ".venv/installed"
    makes = [start(folder, target, f"PYTHON={PYTHON}") for _ in range(2)]
    said = [make.communicate(timeout=300)[0] for make in makes]
    assert [make.returncode for make in makes] == [0, 0], said
    assert "".join(said).count("Installing into .venv …\n") == 1
    assert "".join(said).count("Installing what tests") == 1
    assert is_whole(folder)
    assert subprocess.run(["make", "-q", target], cwd=folder, env=surroundings(folder), check=False).returncode == 0
