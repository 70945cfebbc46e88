# SPDX-License-Identifier: MIT
"""`auth-service dev --provider auth0 --bare`: a tenant in which nothing is set up, NATS, and no service yet."""

from __future__ import annotations

import shlex
import signal
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

from app.cli.dev.auth0 import standing_tenant, table_of, tokens_of
from app.cli.dev.nats_server import nats_server, on_usual_port
from app.cli.dev_tokens import offered
from app.cli.terminal import WIDTH, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.cli.dev.stand_in import Wishes

_TENANT_PORT: Final = 8443
_KEY: Final = "m2m-private.pem"
_FILE: Final = "auth0.env"
_WHAT: Final = (
    "The tenant has users and nothing else: no application, no connection, no API. So the service does not run yet. "
    "Its mails are not sent but shown, here and at the address above, with their codes."
)


def run_bare(nats_port: int, wishes: Wishes, program: str) -> int:
    """Run NATS and the tenant until Ctrl-C; `program` is how this command is called. Returns the exit status.

    Raises StandInMissing, NatsServerUnavailable, OSError.
    """
    with (
        on_usual_port(nats_port, nats_server) as server,
        on_usual_port(_TENANT_PORT, lambda port: standing_tenant(wishes, bare=True, port=port)) as tenant,
        offered(server.url, tokens_of(tenant)),
    ):
        places = [
            ("NATS", server.url),
            ("Tenant", f"https://{tenant.environment['AUTH0_DOMAIN']}"),
            ("Its mails", f"{tenant.control}/mails"),
        ]
        variables = {"NATS_URL": server.url, **tenant.environment}
        typer.echo("\n".join(_greeting(places, table_of(tenant.users), variables, shlex.quote(program))))
        with suppress(KeyboardInterrupt):
            while True:
                signal.pause()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        return 0


def _greeting(
    places: Sequence[Sequence[str]], users: Sequence[Sequence[str]], variables: Mapping[str, str], program: str
) -> list[str]:
    commands = [
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f"{program} tenant check",
        f"{program} tenant apply --generate-key {_KEY}",
        f"export AUTH0_M2M_PRIVATE_BASE64_KEY=\"$(base64 < {_KEY} | tr -d '\\n')\"",
        f"(umask 077; {program} tenant env --show-secrets > {_FILE})",
        f"unset {' '.join(name for name in variables if '_ADMIN_' in name)}",
        f"set -a; . ./{_FILE}; set +a",
        f"{program} serve",
    ]
    return [
        "",
        table(places, indent=""),
        "",
        *textwrap.wrap(_WHAT, WIDTH),
        "",
        "Users:",
        table(users, width=WIDTH),
        "",
        "Set it up and start the service, in another terminal:",
        *(f"  {line}" for line in commands),
        "",
        "Then ask it, in a third one:",
        f"  {program} request --nats-url {variables['NATS_URL']} email_to_sub ada@example.org",
        "",
        "Ctrl-C ends all of it.",
        "",
    ]
