# SPDX-License-Identifier: MIT
"""`python -m tests.stand_ins.auth0`: the tenant as a process of its own, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import sys
from typing import Any

from tests.stand_ins.auth0 import people
from tests.stand_ins.auth0.control import Control
from tests.stand_ins.auth0.records import Mail
from tests.stand_ins.auth0.server import TenantServer, auth0_tenant


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.stand_ins.auth0", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of the tenant; a free one unless given")
    parser.add_argument("--latency-ms", type=float, default=0, help="time that every reply takes")
    parser.add_argument("--users", type=int, default=0, help="further users user00000, user00001, …")
    parser.add_argument("--rate-limit", type=float, default=0, help="calls a second of the Management API; 0: no limit")
    parser.add_argument("--burst", type=int, default=0, help="calls at once; as many as a second has unless given")
    parser.add_argument("--bare", action="store_true", help="set up nothing in it: users, and no more")
    parser.add_argument("--events", action="store_true", help="let the service read the tenant's events")
    parser.add_argument("--no-records", action="store_true", help="keep no exchanges, only count them")
    parser.add_argument("--show-mails", action="store_true", help="print every mail on standard error")
    parser.add_argument("--format", choices=("shell", "json"), default="shell", help="how to print what is needed")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does, as with a parent's end")
    arguments = parser.parse_args()
    with auth0_tenant(port=arguments.port) as server:
        if arguments.bare:
            server.reset(bare=True)
        people.add_numbered(server.tenant.accounts, arguments.users)
        server.tenant.faults.latency = arguments.latency_ms / 1000
        if arguments.rate_limit:
            server.tenant.limits.fill(arguments.rate_limit, arguments.burst or None)
        if arguments.events:
            server.tenant.offer_events()
        server.tenant.records.keep = not arguments.no_records
        if arguments.show_mails:
            server.tenant.records.on_mail = _show
        asyncio.run(_serve(server, arguments.format, until_eof=arguments.until_eof))


def _show(mail: Mail) -> None:
    what = f"the code is {mail.code}" if mail.code else mail.link
    sys.stderr.write(f"The tenant's mail to {mail.to}: {what}\n")
    sys.stderr.flush()


async def _serve(server: TenantServer, form: str, *, until_eof: bool) -> None:
    ended = asyncio.Event()
    for received in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(received, ended.set)
    if until_eof:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    control = Control(server)
    await control.start()
    try:
        sys.stdout.write(_as_json(_description(server, control)) if form == "json" else _as_shell(server, control))
        sys.stdout.flush()
        await ended.wait()
    finally:
        await control.stop()


def _description(server: TenantServer, control: Control) -> dict[str, Any]:
    tenant = server.tenant
    users = [
        {
            "user_id": account.user_id,
            "username": account.profile.get("username", ""),
            "email": account.profile.get("email", ""),
            "token": tenant.access_token(account.user_id, lifetime=86_400),
        }
        for account in list(tenant.accounts.by_id.values())[: people.FIXTURES]
    ]
    return {"environment": tenant.environment(), "control": control.url, "users": users}


def _as_json(description: dict[str, Any]) -> str:
    return json.dumps(description) + "\n"


def _as_shell(server: TenantServer, control: Control) -> str:
    description = _description(server, control)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in description["environment"].items()]
    lines.append(f"# control: {control.url}")
    for user in description["users"]:
        lines.append(f"# {user['user_id']} {user['username']} {user['email']}")
        lines.append(f"#   {user['token']}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
