# SPDX-License-Identifier: MIT
"""The lock files, and for whom they must be complete."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted(path.name for path in ROOT.glob("requirements*.lock"))

# The first and a later release of each Python: some markers name a release.
PYTHONS = ("3.11.0", "3.11.9", "3.12.0", "3.12.9", "3.13.0", "3.13.9", "3.14.0")
SYSTEMS = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))


def environments() -> dict[str, dict[str, str]]:
    """Return the values of markers for each Python and system that is supported."""
    return {
        f"{python} on {system} {machine}": {
            "implementation_name": "cpython",
            "implementation_version": python,
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": python,
            "python_version": python.rpartition(".")[0],
            "sys_platform": platform,
        }
        for python, (platform, system, machine) in product(PYTHONS, SYSTEMS)
    }


def applies(requirement: Requirement, environment: dict[str, str], extra: str = "") -> bool:
    """Tell whether a requirement counts there, for whoever asks for that extra."""
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})


def entries(lock: str) -> list[Requirement]:
    """Return the lines of a lock file that name a version; every line must be one of the kinds that are known."""
    found = []
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line.startswith("    --hash=sha256:"):
            continue
        text, continued, _ = line.partition(" \\")
        if text and not text.lstrip().startswith("#"):
            assert continued, f"without hashes: {line}"
            found.append(Requirement(text))
    return found


def locked(lock: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the version of each package that a lock file gives there."""
    counted = [entry for entry in entries(lock) if applies(entry, environment)]
    versions = {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in counted}
    assert len(versions) == len(counted), "a package is there twice"
    return versions


def asked_for(lock: str) -> list[Requirement]:
    """Return what pyproject.toml asks a lock file to hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    group = lock.removeprefix("requirements").removesuffix(".lock").removeprefix("-")
    own = project["project"]["dependencies"] if group in {"", "auth0", "dev"} else []
    extra = project["project"]["optional-dependencies"]["auth0"] if group in {"auth0", "dev"} else []
    others = in_group(project, group) if group in project["dependency-groups"] else []
    return [Requirement(text) for text in [*own, *extra, *others]]


def in_group(project: dict, group: str) -> list[str]:
    """Return the requirements of a dependency group, with those of the groups that it includes."""
    found = []
    for item in project["dependency-groups"][group]:
        found += [item] if isinstance(item, str) else in_group(project, item["include-group"])
    return found
