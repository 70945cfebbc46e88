# SPDX-License-Identifier: MIT
"""The image, built by an engine, and run as it is run in a cluster."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import nats as client_library
import pytest

from tests.image.engine import Engine, Image, NoEngine, confined
from tests.support.ports import free_port, nats_server

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1024 * 1024
ENTRYPOINT = ["env", "--block-signal=TERM", "auth-service"]
STARTS_WITHIN = 60
PROBE = "import os; print(os.getuid(), os.getgid(), os.access('/opt', os.W_OK)); open('/tmp/x', 'w').write('x')"


def test_the_image_is_built_by_an_engine_and_runs_as_in_a_cluster(image: Image | None) -> None:
    if image is None:
        return  # its steps, which test_image.py follows, are all that can be shown
    whole, own = size(image.root), size(image.root / "opt")
    print(f"built on {image.base}: {whole:.0f} MiB, of which {own:.0f} MiB are ours")  # noqa: T201 - `make image` shows it
    assert (image.configuration["User"], image.configuration["Entrypoint"]) == ("65532:65532", ENTRYPOINT)
    is_confined(image.root, image.configuration)
    serves(image.root, image.configuration)


def test_without_an_engine_it_is_said_in_one_line_what_to_install(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEngine, match=r"^(there is no buildah; on Debian .*|buildah is run as root only, .*)$"):
        Engine(tmp_path)


def size(folder: Path) -> float:
    """The MiB of the files of the image; nothing is mounted in it now."""
    files = (path for path in folder.rglob("*") if not path.is_symlink() and path.is_file())
    return sum(path.stat().st_size for path in files) / MEBIBYTE


def is_confined(root: Path, configuration: dict[str, Any]) -> None:
    """See that the user is the image's, that it can write to /tmp and nowhere else."""
    write = f"{PROBE}\ntry: open('/opt/x', 'w')\nexcept OSError as error: print(error.strerror)"
    done = subprocess.run(
        confined(root, configuration, ["python", "-c", write]), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["65532 65532 False", "Read-only file system"], done.stderr


def serves(root: Path, configuration: dict[str, Any]) -> None:
    """Start it, see it ready and healthy, ask it, and end it by SIGTERM."""
    port = free_port()
    command = [*configuration["Entrypoint"], *configuration["Cmd"]]
    check = configuration["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    with nats_server() as nats:
        variables = {"NATS_URL": nats.url, "PORT": str(port), "BIND": "127.0.0.1"}

        def healthy() -> bool:
            asked = confined(root, configuration, check[1:], **variables)
            return subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode == 0

        with subprocess.Popen(confined(root, configuration, command, **variables)) as service:
            try:
                until_ready(port, service)
                assert healthy()
                assert asyncio.run(answer(nats.url)) == b"auth0|ada"
                service.send_signal(signal.SIGTERM)
                assert service.wait(timeout=40) == 0
            finally:
                service.kill()
        assert not healthy()


def until_ready(port: int, service: subprocess.Popen[bytes]) -> None:
    """Wait until it takes requests."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        assert service.poll() is None
        assert time.monotonic() < deadline
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as page:
                assert page.status == 200
                return
        except OSError:
            time.sleep(0.1)


async def answer(url: str) -> bytes:
    """Ask one request over the bus."""
    async with await client_library.connect(url) as client:
        return bytes((await client.request("lfx.auth-service.email_to_sub", b"ada@example.org", timeout=10)).data)
