# SPDX-License-Identifier: MIT
"""`python -m tests.stand_ins.authelia [USERNAME…]`: userinfo, Kubernetes and mail, until standard input ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import Any

from aiohttp import web

from tests.stand_ins.http import listening
from tests.stand_ins.kubernetes import Kubernetes
from tests.stand_ins.smtp import Mail, MailServer
from tests.stand_ins.userinfo import Userinfo

FIXTURE_USERS = (("ada", "Ada Lovelace"), ("grace.hopper", "Grace Hopper"), ("linus", "Linus Torvalds"))
USERS = [
    {
        "username": name,
        "displayname": full,
        "email": f"{name.partition('.')[0]}@example.org",
        "token": f"authelia_at_{name}",
    }
    for name, full in (*FIXTURE_USERS, *((name, name) for name in sys.argv[1:]))
]
FILE = """\
---
# Authelia's users. The service keeps the addresses in step; everything else is left as it is.
users:
"""


def _users_file() -> str:
    entries = (
        f"  {user['username']}:\n"
        f"    displayname: {user['displayname']}\n"
        "    password: '$2b$12$J2UUDRQrMnSZyXqLWGy9uOEhTsuDcQn2SBJE6mS7GgOZ7qWnNQF4S'\n"
        f"    email: {user['email']}\n"
        for user in USERS
    )
    return FILE + "".join(entries)


class _Shown(MailServer):
    """A mail server that shows what it gets."""

    def received(self, mail: Mail) -> None:
        text = mail.message.get_body(("plain",)).get_content()
        sys.stderr.write(f"\nA mail to {', '.join(mail.recipients)}: {mail.message['Subject']}\n\n{text}\n")
        sys.stderr.flush()


def _pages(kubernetes: Kubernetes, mail: MailServer) -> web.Application:
    async def mails(_: web.Request) -> web.Response:
        return web.Response(text="\n".join(one.raw.decode() for one in mail.mails))

    async def file(_: web.Request) -> web.Response:
        return web.Response(text=kubernetes.file)

    app = web.Application()
    app.router.add_get("/mails", mails)
    app.router.add_get("/users_database.yml", file)
    return app


async def _serve() -> None:
    userinfo, kubernetes, mail = Userinfo(), Kubernetes(), _Shown()
    kubernetes.file = _users_file()
    for user in USERS:
        userinfo.claims[user["token"]] = {"preferred_username": user["username"]}
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for received in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(received, ended.set)
    loop.add_reader(sys.stdin.fileno(), ended.set)
    async with userinfo.serving(), kubernetes.serving(), mail.serving(), listening(_pages(kubernetes, mail)) as control:
        said: dict[str, Any] = {
            "userinfo": userinfo.url,
            "mail_port": mail.port,
            "kubernetes": kubernetes.url,
            "control": control,
            "users": USERS,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
