# SPDX-License-Identifier: MIT
"""The Makefile makes one whole environment, and notices when it is none any more."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.setup.checkout import PYTHON, checkout, surroundings

TARGET = ".venv/installed"


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


def two_at_once(folder):
    """Let two makes install at once; gives what both said."""
    makes = [start(folder, TARGET, f"PYTHON={PYTHON}") for _ in range(2)]
    said = [make.communicate(timeout=300)[0] for make in makes]
    assert [make.returncode for make in makes] == [0, 0], said
    return "".join(said)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout with its environment, and what was said while that was made."""
    folder = checkout(tmp_path_factory.mktemp("folder") / "a check out")
    return folder, two_at_once(folder)


@pytest.fixture
def folder(made, tmp_path):
    """A checkout of its own with its environment, in the place where that was made."""
    place, _ = made
    shutil.copytree(place, tmp_path / "kept", symlinks=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)
    shutil.move(tmp_path / "kept", place)


def counts_as_made(folder, *arguments, **settings):
    """Tell whether make would install nothing."""
    make = start(folder, "-q", TARGET, *arguments, **settings)
    make.communicate(timeout=60)
    return make.returncode == 0


def is_whole(folder):
    here = "import sys, whole; from importlib.metadata import version; version('here'); print(sys.prefix)"
    done = subprocess.run([folder / ".venv/bin/python", "-I", "-c", here], capture_output=True, text=True, check=False)
    return done.stdout.strip() == str(folder / ".venv") and not list(folder.glob(".venv/.unfinished*"))


def of_another_release(path):
    """Make a Python that says of itself that it is another release, and fails in the middle of clearing .venv."""
    cases = f"""-ISc) echo "cpython-399 $PWD" ;; -m) rm -rf .venv/lib*; exit 1 ;; *) exec "{PYTHON}" "$@" ;;"""
    path.unlink(missing_ok=True)
    path.write_text(f'#!/bin/sh\ncase "$1" in {cases} esac\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def test_two_at_once_make_one_whole_environment(made):
    folder, said = made
    assert said.count("Installing into .venv …\n") == 1
    assert said.count("Installing what tests and checks need into .venv …\n") == 1
    assert is_whole(folder)
    assert counts_as_made(folder)


def test_one_that_was_copied_is_made_for_its_own_folder(made, tmp_path):
    folder, _ = made
    copy = shutil.copytree(folder, tmp_path / "a copy", symlinks=True)
    assert not counts_as_made(copy)
    assert two_at_once(copy).count("Installing into .venv …\n") == 1
    assert is_whole(copy)
    assert counts_as_made(copy)
    assert is_whole(folder)
    assert counts_as_made(folder)


def test_one_that_was_moved_is_not_made(folder):
    moved = folder.rename(folder.with_name("moved"))
    assert not counts_as_made(moved)
    shutil.rmtree(moved)


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "another release"])
def test_one_whose_python_is_no_longer_what_it_was_is_not_made(folder, gone):
    python = folder / ".venv/bin/python"
    if gone:
        python.unlink()
        python.symlink_to("/not/there/python3")
    else:
        of_another_release(python)
    assert not counts_as_made(folder)


def test_the_python_that_is_named_is_the_one_that_counts(folder, tmp_path):
    other = str(of_another_release(tmp_path / "python"))
    assert counts_as_made(folder, f"PYTHON={PYTHON}")
    assert counts_as_made(folder, PYTHON=PYTHON)
    assert not counts_as_made(folder, f"PYTHON={other}")
    assert not counts_as_made(folder, PYTHON=other)


def test_one_of_which_only_a_half_was_cleared_is_not_made(folder, tmp_path):
    make = start(folder, TARGET, f"PYTHON={of_another_release(tmp_path / 'python')}")
    said, _ = make.communicate(timeout=60)
    assert (make.returncode, "Installing into" in said) == (2, True)
    assert not counts_as_made(folder)


def test_what_is_exported_for_something_else_changes_nothing(tmp_path):
    folder = checkout(tmp_path / "checkout")
    with (folder / "Makefile").open("a", encoding="utf-8") as makefile:
        makefile.write("shown:\n\t@echo $(ARGS) $${PYTHONPATH-} $${PYTHONHOME-} $(ARGS)\n")
    said, _ = start(folder, "shown", ARGS="-k x", PYTHONPATH="/other", PYTHONHOME="/other").communicate(timeout=60)
    assert said.split() == []
    said, _ = start(folder, "shown", "ARGS=-k y").communicate(timeout=60)
    assert said.split() == ["-k", "y", "-k", "y"]
