# SPDX-License-Identifier: MIT
"""`.ci/run`: what it has started ends with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from tests.setup.locks import ROOT
from tests.support.command import PATIENCE, alive
from tests.support.waiting import until

# Each target with its name in it goes on until it is ended, in a child of a child as pytest's are.
MAKEFILE = """
SHELL := /bin/bash
%:
\t@case " $(LONG) " in *" $@ "*) (echo $$BASHPID >$@.pid; exec sleep 600); true ;; esac
"""
TOOLS = ("buildah", "mmdebstrap", "chromium-browser", "chromedriver")


@pytest.fixture
def folder(tmp_path):
    """A checkout in which make has nothing to do but to wait, and every tool is there."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (tmp_path / "tools").mkdir()
    for tool in TOOLS:
        (tmp_path / "tools" / tool).symlink_to("/bin/true")
    return tmp_path


def run(folder, *long):
    return subprocess.Popen(
        [".ci/run"],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}/tools:{os.environ['PATH']}", "LONG": " ".join(long)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


@pytest.mark.parametrize("long", [("install",), ("prepared", "test"), ("lint", "docs")], ids=" ".join)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_its_end_is_the_end_of_all_that_it_has_started(folder, long, number):
    files = [folder / f"{target}.pid" for target in long]
    with run(folder, *long) as process:
        await until(lambda: all(file.exists() and file.read_text() for file in files))
        # A terminal sends Ctrl-C to the whole group.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        assert process.wait(PATIENCE) != 0
    await until(lambda: not any(alive(int(file.read_text())) for file in files))


def test_it_says_that_all_is_well(folder):
    with run(folder) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.splitlines()[-1]) == (0, "== all is well")
