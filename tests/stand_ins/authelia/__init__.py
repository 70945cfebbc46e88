# SPDX-License-Identifier: MIT
"""What stands around the Authelia provider, in one process of its own: for `auth-service dev` and measurements."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from app.cli.dev.children import PATIENCE, end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class AutheliaProcess:
    """Where everything is: userinfo, the port for mail, the pages to look at, and the users with their tokens."""

    userinfo: str
    mail_port: int
    kubernetes: str
    control: str
    users: list[dict[str, str]]
    kubeconfig: str = ""
    pid: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the service here."""
        return {
            "KUBECONFIG": self.kubeconfig,
            "AUTHELIA_OIDC_USERINFO_URL": self.userinfo,
            "EMAIL_SMTP_HOST": "127.0.0.1",
            "EMAIL_SMTP_PORT": str(self.mail_port),
        }


@contextlib.contextmanager
def authelia_process(more_users: Iterable[str] = ()) -> Iterator[AutheliaProcess]:
    """Run the stand-ins as long as the context lasts; with this process they end in any case.

    `more_users`: usernames of further people, each with an address `…@example.org` and a token `authelia_at_…`.
    """
    command = [sys.executable, "-m", "tests.stand_ins.authelia", *more_users]
    with (
        tempfile.TemporaryDirectory(prefix="kubeconfig-") as folder,
        # A session of its own: Ctrl-C in a terminal is for the service, which still needs them to drain.
        subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as child,
    ):
        try:
            line = child.stdout.readline() if child.stdout else b""
            if not line:
                raise RuntimeError(f"the stand-ins did not start, exit status {child.wait(PATIENCE)}")
            said = json.loads(line)
            path = Path(folder) / "config"
            path.write_text(_kubeconfig(said["kubernetes"]), encoding="utf-8")
            yield AutheliaProcess(**said, kubeconfig=str(path), pid=child.pid)
        finally:
            end(child)


def _kubeconfig(server: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": server}}],
            "users": [{"name": "dev", "user": {"token": "dev"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "dev", "namespace": "lfx"}}],
            "current-context": "here",
        }
    )
