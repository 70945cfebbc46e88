# SPDX-License-Identifier: MIT
"""The chart, as the pinned `helm` renders it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/lfx-v2-auth-service"
HERE = Path(__file__).parent
TOOLS = ROOT / "build/tools"
VALUES = sorted((HERE / "values").glob("*.yaml"))
NAME = "lfx-v2-auth-service"


class ChartError(Exception):
    """What helm says when it does not render."""


def run(tool: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a tool of `make chart`."""
    return subprocess.run(
        [TOOLS / "go" / tool, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )


@cache
def render(values: Path | None = None, *settings: str, namespace: str = "lfx") -> str:
    """Return what helm renders with a values file and settings such as `replicaCount=1`."""
    options = ["--values", str(values)] if values else []
    options += [part for setting in settings for part in ("--set", setting)]
    done = run("helm", "template", "auth", str(CHART), "--namespace", namespace, *options)
    if done.returncode:
        raise ChartError(done.stderr)
    return done.stdout


def objects(text: str) -> dict[tuple[str, str], dict]:
    """Return the rendered objects by kind and name."""
    documents = [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def rendered(*settings: str, values: str | None = None) -> dict[tuple[str, str], dict]:
    """Return the objects of a values file of `values/`, by its name, and settings."""
    return objects(render(HERE / "values" / f"{values}.yaml" if values else None, *settings))


def container(shown: dict[tuple[str, str], dict]) -> dict:
    """Return the service's container."""
    (only,) = shown["Deployment", NAME]["spec"]["template"]["spec"]["containers"]
    return only


def environment(shown: dict[tuple[str, str], dict]) -> dict[str, object]:
    """Return the container's variables: a text, or the reference to where it stands. Each name must be there once."""
    entries = container(shown)["env"]
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names)), names
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}
