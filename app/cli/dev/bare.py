# SPDX-License-Identifier: MIT
"""`auth-service dev --provider auth0 --bare`: a tenant in which nothing is set up, NATS, and no service yet."""

from __future__ import annotations

import shlex
import signal
import textwrap
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import typer

from app.cli.dev.auth0 import standing_tenant, table_of, tokens_of
from app.cli.dev.nats_server import free_port, nats_server_near
from app.cli.dev_tokens import offered
from app.cli.terminal import WIDTH, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        nats_server_near(nats_port) as server,
        bare_tenant(wishes) as tenant,
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


@contextmanager
def bare_tenant(wishes: Wishes) -> Iterator[Any]:
    """Run the tenant on its usual port, or on another where somebody has that, or takes it just now."""
    with ExitStack() as stack:
        try:
            tenant = stack.enter_context(standing_tenant(wishes, bare=True, port=free_port(_TENANT_PORT)))
        except RuntimeError:
            tenant = stack.enter_context(standing_tenant(wishes, bare=True))
        yield tenant


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
