# SPDX-License-Identifier: MIT
"""Install exactly the files that lock files name: `python .ci/install.py [--editable] ENVIRONMENT LOCK…`.

Nothing is resolved: every package comes in the version and with the hash that a lock file gives it (`--no-deps`,
`--require-hashes`), in the order of the lock files, so that what is built finds its build tools. Then the environment
is checked for what is missing. `--editable` adds the package in this folder. The Python that runs this must have pip.

uv does it in a tenth of pip's time, but reads none of pip's settings. It is told those that it knows; where pip has
others, or uv fails, pip does it. docs/decisions/0050-installing.md has the reasons.

An installation that was interrupted leaves files in the environment that look installed and are not whole. Until the
end a file there is named after each lock file; where one is found at the start, everything is installed over again.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UV_LOCK = str(Path(__file__).parents[1] / "requirements-uv.lock")

# Settings of pip, and the variable by which uv is told the same.
TOLD = {
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
}
# Settings that say nothing about where files come from, or which.
BESIDE_THE_POINT = {
    "break-system-packages",
    "cache-dir",
    "config-file",
    "disable-pip-version-check",
    "no-cache-dir",
    "no-color",
    "no-input",
    "no-python-version-warning",
    "no-warn-script-location",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "user",  # no call of pip here obeys it
    "verbose",
}
# Settings that lead packages away from the environment; pip cannot be told to leave those of a file alone.
ELSEWHERE = {"prefix", "root", "target"}

# What each needs to install over what is there. pip cannot remove what has no list of its files yet.
OVER_AGAIN = {"pip": ("--ignore-installed",), "uv": ("--reinstall",)}


def pip(*arguments: str, stdout: int | None = None, check: bool) -> subprocess.CompletedProcess[str]:
    """Run pip, which says what it is asked for and installs into the environment, whatever it is set to."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "PIP_QUIET": "0", "PIP_USER": "0"}
    return subprocess.run(command, env=environment, stdout=stdout, text=True, check=check)


def settings_of_pip() -> dict[str, str | None]:
    """Return what pip is set to by its files and the environment; the environment goes before the files."""
    return settings_listed(pip("config", "list", stdout=subprocess.PIPE, check=True).stdout)


def settings_listed(text: str) -> dict[str, str | None]:
    """Read what `pip config list` says. As for pip, an empty value is none.

    Newer releases of pip list what each file says, in no order. None stands for a value of which files say different.
    """
    sections: dict[str, dict[str, str | None]] = {"global": {}, "install": {}, ":env:": {}}
    for line in text.splitlines():
        name, _, literal = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in sections:
            value = str(ast.literal_eval(literal))
            if sections[section].setdefault(key, value) != value:
                sections[section][key] = None
    return {key: value for section in sections.values() for key, value in section.items() if value != ""}


def environment_for_uv(settings: dict[str, str | None]) -> dict[str, str] | None:
    """Return the environment in which uv takes files from where pip does; None where that cannot be said to uv."""
    known = {key: value for key, value in settings.items() if key in TOLD and value is not None}
    if settings.keys() - known.keys() - BESIDE_THE_POINT:
        return None
    told = {TOLD[key]: value for key, value in known.items()}
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):  # pip obeys it, uv does not
        told.setdefault("SSL_CERT_FILE", bundle)
    if places := told.pop("UV_FIND_LINKS", ""):  # separated by white space for pip, by commas for uv
        told["UV_FIND_LINKS"] = ",".join(place for place in places.split() if "://" in place or Path(place).exists())
    return told | dict(os.environ)


def environment_with_uv(settings: dict[str, str | None], *, again: bool) -> dict[str, str] | None:
    """Install uv itself, and return the environment in which it is to run; None where pip has to do its work."""
    environment = environment_for_uv(settings)
    # Without a wheel for this machine uv would be built from source, which takes longer than pip does.
    own = ["--quiet", "--only-binary", ":all:", *(OVER_AGAIN["pip"] if again else [])]
    if environment is None or pip(*commands([UV_LOCK])[0], *own, check=False).returncode != 0:
        return None
    return environment


def install_with_uv(python: str, environment: dict[str, str], locks: list[str], *, editable: bool, again: bool) -> bool:
    """Install and check with uv, and tell whether it did."""
    for verb, *rest in [*commands(locks, editable=editable, more=OVER_AGAIN["uv"] if again else ()), ["check"]]:
        command = [str(Path(sys.executable).with_name("uv")), "--quiet", "pip", verb, "--python", python, *rest]
        if subprocess.run(command, env=environment, check=False).returncode != 0:
            return False
    return True


def install_with_pip(python: str, locks: list[str], *, editable: bool, again: bool) -> None:
    """Install and check with pip. Raises CalledProcessError when it cannot, or when something is missing."""
    for step in [*commands(locks, editable=editable, more=OVER_AGAIN["pip"] if again else ()), ["check"]]:
        quiet = ["--quiet"] if step[0] == "install" else []
        pip(*quiet, "--python", python, *step, check=True)


def commands(locks: list[str], *, editable: bool = False, more: Sequence[str] = ()) -> list[list[str]]:
    """Return what is to be done, in words that pip and uv both understand, with more for one of them."""
    install = ["install", "--no-deps", "--no-build-isolation", *more]
    steps = [[*install, "--require-hashes", "--requirement", lock] for lock in locks]
    return [*steps, [*install, "--editable", "."]] if editable else steps


def main() -> None:
    """Do what the command line says, and end with status 1 when it cannot be done."""
    parser = argparse.ArgumentParser(description="Install exactly the files that lock files name.")
    parser.add_argument("--editable", action="store_true", help="add the package in this folder")
    parser.add_argument("environment", help="folder of the virtual environment")
    parser.add_argument("locks", nargs="+", metavar="lock")
    given = parser.parse_args()
    settings = settings_of_pip()
    if elsewhere := ", ".join(sorted(settings.keys() & ELSEWHERE)):
        sys.exit(
            f"pip is set to install elsewhere ({elsewhere}): remove that, `pip config debug` shows where it stands"
        )
    unfinished = [Path(given.environment, f".unfinished-{Path(lock).name}") for lock in given.locks]
    how = {"editable": given.editable, "again": any(file.exists() for file in unfinished)}
    for file in unfinished:
        file.touch()
    python = str(Path(given.environment, "bin", "python").absolute())
    environment = environment_with_uv(settings, again=how["again"])
    if environment is None or not install_with_uv(python, environment, given.locks, **how):
        print("Installing with pip, which takes longer …", file=sys.stderr)
        # What uv has begun looks installed to pip, and may not be whole.
        how["again"] |= environment is not None
        try:
            install_with_pip(python, given.locks, **how)
        except subprocess.CalledProcessError as error:
            sys.exit(error.returncode)
    for file in unfinished:
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
