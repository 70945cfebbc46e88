# SPDX-License-Identifier: MIT
"""What the image is made of, and that it runs: the steps of the Dockerfile, followed on this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.docs.blocks import blocks
from tests.image.dockerfile import ROOT, exec_form, let_through, only, stages
from tests.image.engine import Image
from tests.support.ports import free_port, nats_server

FINAL = stages()[-1]
MEBIBYTE = 1024 * 1024
BYTES_AT_MOST = 190 * MEBIBYTE


def environment(copied: Path, **variables: str) -> dict[str, str]:
    """What the final stage sets, and nothing of this machine."""
    path = f"{copied}/bin:{os.defpath}"
    return {"PATH": path, "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **variables}


def files(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def healthy(copied: Path, port: int) -> bool:
    command = exec_form(only(FINAL, "HEALTHCHECK"))
    command[0] = str(copied / "bin" / command[0])
    # A proxy that the container is given is none for itself.
    variables = environment(copied, PORT=str(port), http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1")
    done = subprocess.run(command, env=variables, capture_output=True, check=False, timeout=30)
    return done.returncode == 0


def test_the_linter_finds_no_fault() -> None:
    linter = ROOT / "build/tools/bin/hadolint"
    done = subprocess.run([linter, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_everything_that_is_copied_is_let_into_the_build() -> None:
    sources = [word for step in stages()[0] if step.name == "COPY" for word in step.text.split()[:-1]]
    assert sources
    assert [source for source in sources if not let_through(source)] == []


def test_the_page_of_installing_has_the_steps_of_the_build() -> None:
    steps = [step for one in stages()[0] if one.name == "RUN" for step in one.text.split(" && ")]
    shown = [step.strip().replace("--no-cache-dir ", "").replace("/tmp/", "dist/") for step in steps]
    page = [one.text for one in blocks(ROOT / "docs/operations/install.md") if "requirements-build.lock" in one.text]
    assert page == ["".join(f"{step}\n" for step in shown)]
    # Whoever upgrades repeats them: nothing of the version before may stay.
    assert "python -m venv --clear --without-pip /opt/auth-service" in shown


@pytest.mark.parametrize("secret", [".env", ".git", "tests", "deploy"])
def test_nothing_else_is_let_into_the_build(secret: str) -> None:
    assert not let_through(secret)


def test_the_final_stage_runs_nothing_and_copies_one_folder() -> None:
    assert "RUN" not in [step.name for step in FINAL]
    assert only(FINAL, "COPY") == "--from=build /opt/auth-service /opt/auth-service"


def test_both_stages_are_of_the_same_slim_base_by_its_digest() -> None:
    (base,) = {only(stage, "FROM").split()[0] for stage in stages()}
    assert re.fullmatch(r"python:3\.13-slim@sha256:[0-9a-f]{64}", base)


def test_the_user_is_not_root() -> None:
    assert only(FINAL, "USER") == "65532:65532"


def test_signals_reach_the_process_without_a_shell() -> None:
    assert exec_form(only(FINAL, "ENTRYPOINT")) == ["env", "--block-signal=TERM", "auth-service"]
    assert exec_form(only(FINAL, "CMD")) == ["serve"]


def test_the_labels_are_those_of_oci() -> None:
    labels = only(FINAL, "LABEL")
    for name in ("title", "description", "source", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_every_install_is_held_to_hashes_or_to_what_was_built_here_and_resolves_nothing() -> None:
    commands = [command for step in stages()[0] if step.name == "RUN" for command in step.text.split(" && ")]
    installs = [command for command in commands if re.search(r"/pip\b.* (install|wheel) ", command)]
    assert len(installs) == 4
    for command in installs:
        assert "--no-deps" in command, command
        assert "--require-hashes" in command or command.endswith((" .", " /tmp/wheels/*.whl")), command


def test_that_nothing_is_missing_is_checked_last() -> None:
    assert stages()[0][-1].text.endswith("pip --python /opt/auth-service/bin/python check")


def test_no_installer_compiler_or_tool_is_copied(copied: Path) -> None:
    names = {path.name for path in (copied / "bin").iterdir()}
    assert "auth-service" in names
    assert {"pip", "gcc", "cc", "ld", "pytest", "mypy", "hatchling", "nats-server"}.isdisjoint(names)
    packages = {path.name for path in copied.glob("lib/python*/site-packages/*")}
    assert {"pip", "setuptools", "wheel", "hatchling", "pytest"}.isdisjoint(packages)
    assert {"app", "routers", "providers", "clients"} <= packages
    assert "tests" not in packages


def test_its_packages_are_those_of_the_lock_file(copied: Path) -> None:
    lock = (ROOT / "requirements-auth0.lock").read_text()
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    shown = metadata.distributions(path=[str(path) for path in copied.glob("lib/python*/site-packages")])
    installed = {one.name.lower().replace("_", "-").replace(".", "-") for one in shown}
    assert installed - {"lfx-v2-auth-service"} <= {name.replace(".", "-") for name in locked}


def test_its_size_is_bounded(copied: Path) -> None:
    size = sum(path.stat().st_size for path in copied.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"copied into the image: {size / MEBIBYTE:.0f} MiB")  # noqa: T201 - `make image` shows the figure
    assert size < BYTES_AT_MOST


def test_it_runs_is_healthy_writes_nothing_and_ends_at_a_signal(copied: Path, image: Image | None) -> None:
    if image is not None:
        return  # what an engine built runs in test_built.py, and here is no Python for it
    before = files(copied)
    port = free_port()
    command = [copied / "bin/auth-service", *exec_form(only(FINAL, "CMD"))]
    with nats_server() as nats:
        variables = environment(copied, NATS_URL=nats.url, PORT=str(port), BIND="127.0.0.1")
        with subprocess.Popen(command, env=variables, cwd="/", stdout=subprocess.DEVNULL) as service:
            try:
                deadline = time.monotonic() + 60
                while not healthy(copied, port):
                    assert service.poll() is None
                    assert time.monotonic() < deadline
                with urlopen(f"http://127.0.0.1:{port}/docs", timeout=10) as page:
                    assert page.status == 200
                service.send_signal(signal.SIGTERM)
                assert service.wait(timeout=40) == 0
            finally:
                service.kill()
    assert not healthy(copied, port)
    assert files(copied) == before
