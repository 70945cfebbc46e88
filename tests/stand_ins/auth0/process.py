# SPDX-License-Identifier: MIT
"""The tenant as a child process, for measurements and for whoever wants it out of the way."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.dev.children import PATIENCE, end
from tests.stand_ins.auth0.tokens import CAN_IMPERSONATE, LFX_V2_AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class TenantProcess:
    """A running tenant: the variables for the service, the fixture users with tokens, and a way to rule it."""

    environment: dict[str, str]
    control: str
    users: list[dict[str, str]]
    pid: int

    def do(self, **order: Any) -> None:
        """Give an order; see `control` for what can be asked."""
        self._ask("/do", order)

    def stats(self) -> dict[str, Any]:
        """Return calls by operation, what is in flight, connections, faults in force."""
        return dict(self._ask("/stats"))

    def mails(self) -> list[dict[str, str]]:
        """Return what was "sent"."""
        return list(self._ask("/mails"))

    def access_token(self, who: str, **more: Any) -> str:
        """Return an access token of that user."""
        return str(self._ask("/token", {"who": who, **more})["access_token"])

    def impersonator_token(self, who: str, **more: Any) -> str:
        """Return a token for the LFX v2 API whose bearer may impersonate."""
        claims = {"aud": LFX_V2_AUDIENCE, CAN_IMPERSONATE: True, **more}
        return self.access_token(who, scopes=["access:api"], **claims)

    def id_token(self, subject: str, **more: Any) -> str:
        """Return an ID token of that subject."""
        return str(self._ask("/token", {"subject": subject, **more})["id_token"])

    def _ask(self, path: str, order: dict[str, Any] | None = None) -> Any:
        data = None if order is None else json.dumps(order).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control + path, data), timeout=PATIENCE) as reply:
            return json.load(reply)


@contextlib.contextmanager
def tenant_process(
    *,
    port: int = 0,
    latency_ms: float = 0,
    users: int = 0,
    records: bool = True,
    show_mails: bool = False,
    **more: float,
) -> Iterator[TenantProcess]:
    """Run the tenant in a process of its own as long as the context lasts; with this process it ends in any case.

    `more`: further options of its command line (`rate_limit`, `burst`, `events`, `bare`).
    """
    command = [sys.executable, "-m", "tests.stand_ins.auth0", "--format", "json", "--until-eof", "--port", str(port)]
    command += ["--latency-ms", str(latency_ms), "--users", str(users), *([] if records else ["--no-records"])]
    command += ["--show-mails"] if show_mails else []
    for name, value in more.items():
        flag = f"--{name.replace('_', '-')}"
        command += [flag] * value if isinstance(value, bool) else [flag, str(value)]
    # A session of its own: Ctrl-C in a terminal is for the service, which still needs the tenant to drain.
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        try:
            line = child.stdout.readline() if child.stdout else b""
            if not line:
                raise RuntimeError(f"the tenant did not start, exit status {child.wait(PATIENCE)}")
            yield TenantProcess(**json.loads(line), pid=child.pid)
        finally:
            end(child)
