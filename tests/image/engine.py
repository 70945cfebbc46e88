# SPDX-License-Identifier: MIT
"""Builds the Dockerfile with Debian's buildah, as root and without a daemon, and runs what came of it.

Where no container registry is reachable the base is made here: the Debian release that has the Dockerfile's Python,
with that Python where the base has it. Everything lies below one folder, which whoever makes an `Engine` takes away.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.image.dockerfile import DOCKERFILE, ROOT, only, stages

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES = {"3.13": "trixie"}
"""The release of Debian that has a Python."""
HUB = "docker.io/library/"
NAME = "auth-service:check"
PATIENCE = 600
REACHED_WITHIN = 60
TOLD_PIP = ("cert", "client-cert", "index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout")
"""What of this machine's configuration pip needs in the build as well."""


class NoEngine(Exception):
    """Nothing can be built here; the message says why in one line."""


@dataclass(frozen=True)
class Image:
    """What was built: its root file system and its configuration. `base` says on what."""

    root: Path
    configuration: dict[str, Any]
    base: str


class Engine:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        """Take the folder for all that it makes. Raises NoEngine."""
        if os.geteuid() != 0:
            raise NoEngine("buildah is run as root only, and this is another user")
        if shutil.which("buildah") is None:
            raise NoEngine("there is no buildah; on Debian and Ubuntu: apt-get install buildah mmdebstrap")
        self._folder = folder
        self.base = ""

    def __call__(self, *arguments: object, seconds: float = PATIENCE) -> str:
        """Run it and return what it puts out. Raises CalledProcessError."""
        places = ("--root", self._folder / "storage", "--runroot", self._folder / "run")
        command = ["buildah", *map(str, places), "--storage-driver", "vfs", *map(str, arguments)]
        return run(command, seconds)

    def build(self) -> dict[str, Any]:
        """Build the image and return its configuration. Raises NoEngine when there is no base for it."""
        dockerfile = self._folder / "Dockerfile"
        dockerfile.write_text(self._with_base(DOCKERFILE.read_text(encoding="utf-8")), encoding="utf-8")
        settings = (*self._pip(), "--isolation", "chroot", "--format", "docker", "--file", dockerfile, "--tag", NAME)
        self("bud", "--quiet", "--pull-never", *settings, ROOT)
        configuration: dict[str, Any] = json.loads(self("inspect", "--type", "image", NAME))["Docker"]["config"]
        return configuration

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Give the image's root file system while the context lasts."""
        container = self("from", "--pull-never", NAME).strip()
        try:
            yield Path(self("mount", container).strip())
        finally:
            self("umount", container)
            self("rm", container)

    def _with_base(self, dockerfile: str) -> str:
        """Return the Dockerfile with a base that there is: the pinned one, or one of its name that is made here."""
        pinned = only(stages()[-1], "FROM").split()[0]
        try:
            # A name with a tag and a digest is understood only without a transport, such as `docker://`, before it.
            identifier = self("pull", "--quiet", "--retry", 1, f"{HUB}{pinned}", seconds=REACHED_WITHIN).strip()
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            self.base = self._made(pinned.partition("@")[0])
            return dockerfile.replace(f"@{pinned.partition('@')[2]}", "")
        self.base = "the pinned base"
        return dockerfile.replace(f"FROM {pinned}", f"FROM {identifier}")

    def _made(self, name: str) -> str:
        version = re.search(r":(\d+\.\d+)", name)
        release = RELEASES.get(version[1] if version else "")
        if release is None or shutil.which("mmdebstrap") is None:
            raise NoEngine("no registry is reachable, and no base can be made; on Debian: apt-get install mmdebstrap")
        archive = self._folder / "base.tar"
        packages = "--include=python3,python3-venv,ca-certificates"
        quick = ("--variant=minbase", "--dpkgopt=force-unsafe-io", "--quiet")
        try:
            run(["mmdebstrap", "--mode=root", *quick, packages, release, str(archive)], PATIENCE)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            raise NoEngine(f"no registry is reachable, and Debian {release} cannot be had") from None
        container = self("from", "scratch").strip()
        self("add", "--quiet", container, archive, "/")
        root = self("mount", container).strip()
        Path(f"{root}/usr/local/bin/python").symlink_to("/usr/bin/python3")
        self("umount", container)
        self("commit", "--quiet", "--rm", container, name)
        archive.unlink()
        return f"a base of Debian {release} made here"

    def _pip(self) -> list[str]:
        """Return what gives the build this machine's way to packages; nothing of it is in the image."""
        settings: dict[str, str] = {}
        for line in run([sys.executable, "-m", "pip", "config", "list"], 60).splitlines():
            key, _, value = line.partition("=")
            if (name := key.rpartition(".")[2]) in TOLD_PIP:
                settings[name] = ast.literal_eval(value)
        file = self._folder / "pip.conf"
        file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        shared = [file.absolute(), *(settings[name] for name in ("cert", "client-cert") if name in settings)]
        places = ["/etc/pip.conf", *shared[1:]]
        return [word for one, there in zip(shared, places, strict=True) for word in ("--volume", f"{one}:{there}:ro")]


CONFINED = """
mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" &&
mount --rbind /dev "$1/dev" && mount -o remount,bind,ro "$1" || exit 70
root=$1 user=$2; shift 2
exec chroot --userspec="$user" "$root" /usr/bin/env -i "$@"
"""
"""Runs a command as an engine would: on a read-only root but for /tmp, as the user of the image, with its variables."""


def confined(root: Path, configuration: dict[str, Any], command: list[str], **variables: str) -> list[str]:
    """Return the command that runs `command` in the image; its process is the very one that is started."""
    environment = [*configuration["Env"], *(f"{name}={value}" for name, value in variables.items())]
    return ["unshare", "--mount", "sh", "-c", CONFINED, "sh", str(root), configuration["User"], *environment, *command]


def run(command: list[str], seconds: float) -> str:
    """Run a command and return what it puts out. Raises CalledProcessError with what it said, and TimeoutExpired."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        error.add_note(done.stdout[-4_000:] + done.stderr[-4_000:])
        raise error
    return done.stdout
