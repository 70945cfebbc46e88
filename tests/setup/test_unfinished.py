# SPDX-License-Identifier: MIT
"""What pip's settings and an interruption would spoil is installed into the environment, and whole."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.setup.checkout import one_wheel
from tests.setup.locks import ROOT
from tests.setup.test_exactly import fresh

# A setting that uv cannot be told leaves it all to pip.
INSTALLERS = {"pip": {"PIP_NO_INDEX": "1"}, "uv": {"UV_OFFLINE": "1"}}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return fresh(tmp_path_factory.mktemp("environments") / "one", None)


@pytest.fixture
def lock(tmp_path):
    """A lock file that names one wheel, which is beside it."""
    lock = tmp_path / "whole.lock"
    lock.write_text(one_wheel(tmp_path), encoding="utf-8")
    return lock


def install(python, lock, **settings):
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {lock.parent}".strip()
    return subprocess.run(
        [python, ".ci/install.py", python.parents[1], lock],
        cwd=ROOT,
        env={**os.environ, "PIP_FIND_LINKS": links, **settings},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def is_there(python):
    return subprocess.run([python, "-c", "import whole"], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("by", INSTALLERS)
def test_what_was_interrupted_is_installed_over_again(python, lock, by):
    right = lock.read_text(encoding="utf-8")
    assert install(python, lock, **INSTALLERS[by]).returncode == 0
    assert is_there(python)
    # As after Ctrl-C: what is found says that the package is there, and neither its files nor their list is.
    (folder,) = (python.parents[1] / "lib").glob("python3*/site-packages")
    (folder / "whole.py").unlink()
    (folder / "whole-1.0.dist-info/RECORD").unlink()
    lock.write_text(f"absent==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert install(python, lock, **INSTALLERS[by]).returncode != 0
    lock.write_text(right, encoding="utf-8")
    done = install(python, lock, **INSTALLERS[by])
    assert (done.returncode, "Installing with pip" in done.stderr) == (0, by == "pip")
    assert is_there(python)
    # Once it is whole, the next one has nothing to do.
    assert list(python.parents[1].glob(".unfinished*")) == []


def test_what_uv_did_not_finish_is_installed_over_again_by_pip(python, lock):
    assert install(python, lock, **INSTALLERS["uv"]).returncode == 0
    (folder,) = (python.parents[1] / "lib").glob("python3*/site-packages")
    (folder / "whole.py").unlink()
    uv, kept = python.with_name("uv"), python.with_name("uv-kept")
    uv.rename(kept)
    # What says that the package is there is still there; the system ends the process before its files are.
    uv.write_text("#!/bin/sh\nkill -KILL $$\n", encoding="utf-8")
    uv.chmod(0o755)
    try:
        done = install(python, lock, **INSTALLERS["uv"], PIP_INDEX_URL=(lock.parent / "none").as_uri())
    finally:
        kept.replace(uv)
    assert (done.returncode, "Installing with pip" in done.stderr) == (0, True)
    assert is_there(python)


def test_a_person_whose_pip_installs_for_that_person_alone_can_install(python, lock):
    assert install(python, lock, PIP_USER="1", **INSTALLERS["pip"]).returncode == 0
    assert is_there(python)


@pytest.mark.parametrize("setting", ["target", "prefix", "root"])
def test_a_pip_that_is_set_to_install_elsewhere_is_refused(python, lock, tmp_path, setting):
    done = install(python, lock, **{f"PIP_{setting.upper()}": str(tmp_path / "elsewhere")}, **INSTALLERS["pip"])
    assert done.returncode == 1
    assert done.stderr.startswith(f"pip is set to install elsewhere ({setting}): ")
    assert not (tmp_path / "elsewhere").exists()
