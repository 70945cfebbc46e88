# SPDX-License-Identifier: MIT
"""`.ci/run`: what it has started ends with it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess

import pytest

from tests.setup.locks import ROOT
from tests.support.command import PATIENCE, alive
from tests.support.waiting import until

# Each target with its name in it goes on until it is ended, in a child of a child as pytest's are.
MAKEFILE = r"""
SHELL := /bin/bash
%:
	@case " $(LONG) " in *" $@ "*) (trap '' $(DEAF); echo $$BASHPID >$@.pid; exec sleep 600); true ;; esac
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


def run(folder, *long, before=(), **settings):
    """Start it, behind these words; these targets are made until they are ended."""
    return subprocess.Popen(
        [*before, ".ci/run"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder}/tools:{os.environ['PATH']}",
            "LONG": " ".join(long),
            "DEAF": "USR1",
            **settings,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )


def begun(folder, long):
    files = [folder / f"{target}.pid" for target in long]
    return all(file.exists() and file.read_text() for file in files)


def all_ended(folder, long):
    return not any(alive(int((folder / f"{target}.pid").read_text())) for target in long)


@pytest.mark.parametrize("long", [("install",), ("prepared", "test"), ("lint", "docs")], ids=" ".join)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM], ids=["Ctrl-C", "SIGQUIT", "SIGTERM"]
)
async def test_its_end_is_the_end_of_all_that_it_has_started(folder, long, number):
    with run(folder, *long) as process:
        await until(lambda: begun(folder, long))
        # A terminal sends Ctrl-C to the whole group.
        (os.kill if number == signal.SIGTERM else os.killpg)(process.pid, number)
        assert process.wait(PATIENCE) == 128 + number
    await until(lambda: all_ended(folder, long))


async def test_what_was_started_deaf_to_ctrl_c_is_ended_too(folder):
    deaf = ("bash", "-c", """trap '' INT QUIT; exec "$0" """)
    with run(folder, "lint", "docs", before=deaf, CI_PATIENCE="1") as process:
        await until(lambda: begun(folder, ("lint", "docs")))
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    await until(lambda: all_ended(folder, ("lint", "docs")))


async def test_a_second_ctrl_c_ends_what_does_not_obey_the_first(folder):
    (folder / "logs").mkdir()
    with run(folder, "lint", "docs", DEAF="INT TERM", CI_PATIENCE="600", TMPDIR=str(folder / "logs")) as process:
        await until(lambda: begun(folder, ("lint", "docs")))
        os.killpg(process.pid, signal.SIGINT)
        await asyncio.sleep(0.5)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 128 + signal.SIGINT
    await until(lambda: all_ended(folder, ("lint", "docs")))
    assert list((folder / "logs").iterdir()) == []


def test_it_says_that_all_is_well_wherever_cd_looks_first(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / ".ci").mkdir()
    with run(folder, CDPATH=str(elsewhere)) as process:
        said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.splitlines()[-1]) == (0, "== all is well")
