# SPDX-License-Identifier: MIT
"""`auth-service tenant`: compare a tenant of Auth0 with what the service needs, and change it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.tenant.scopes import APPLYING, READING
from app.interruption import nothing_in_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNUSABLE: Final = 2
_MISSING: Final = (
    "Auth0's library is not installed. In a checkout: `make install`. Elsewhere: install the service with its extra "
    "`auth0`."
)
_RIGHTS: Final = f"""The command's own rights, never the service's: AUTH0_ADMIN_TOKEN, or --token, or
AUTH0_ADMIN_CLIENT_ID with AUTH0_ADMIN_CLIENT_SECRET.

Scopes for check, plan and env: {" ".join(READING)}.

`apply` also needs: {" ".join(APPLYING)}."""

tenant = typer.Typer(
    name="tenant",
    help="Set up and check the Auth0 tenant.",
    epilog=_RIGHTS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


class Shown(StrEnum):
    """How findings are written."""

    TABLE = "table"
    JSON = "json"


class Form(StrEnum):
    """How variables are written."""

    ENV = "env"
    VALUES = "values"
    SECRET = "secret"  # noqa: S105 - the name of a form


Domain = Annotated[str, typer.Option(help="The tenant.", show_default="AUTH0_DOMAIN, or <AUTH0_TENANT>.auth0.com")]
Token = Annotated[bool, typer.Option("--token", help="Read a Management API token from standard input.")]
Format = Annotated[Shown, typer.Option("--format", help="The format.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Also change objects that were not made for the service.")]
NewKey = Annotated[
    Path | None,
    typer.Option(
        "--generate-key", metavar="FILE", help="Make a key pair. FILE gets the private key and must not exist."
    ),
]


@tenant.command(epilog=_RIGHTS)
def check(domain: Domain = "", *, token: Token = False, output: Format = Shown.TABLE) -> None:
    """Compare the tenant with what the service needs.

    Exit status: 0 when nothing differs, 1 when something does, 2 when the
    tenant cannot be read.
    """
    run = _loaded()
    raise typer.Exit(run.check(run.Options(domain, token, output is Shown.JSON)))


@tenant.command(epilog=_RIGHTS)
def plan(
    domain: Domain = "",
    *,
    token: Token = False,
    output: Format = Shown.TABLE,
    adopt: Adopt = False,
    generate_key: NewKey = None,
) -> None:
    """Print the steps of `apply` and do nothing.

    Exit status: 0 when there is nothing to do, 1 when there is, 2 when the
    tenant cannot be read.
    """
    run = _loaded()
    options = run.Options(domain, token, output is Shown.JSON, adopt=adopt, new_key=generate_key)
    raise typer.Exit(run.plan(options))


@tenant.command(epilog=_RIGHTS)
def apply(
    domain: Domain = "",
    *,
    token: Token = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    adopt: Adopt = False,
    generate_key: NewKey = None,
) -> None:
    """Create missing objects and correct differences, one step at a time.

    It deletes and renames nothing. It changes objects that were not made
    for the service only with --adopt. A second run changes nothing.

    Exit status: 0 when nothing differs afterwards, 1 when something does,
    2 when the tenant cannot be read.
    """
    run = _loaded()
    raise typer.Exit(run.apply(run.Options(domain, token, yes=yes, adopt=adopt, new_key=generate_key)))


@tenant.command(epilog=_RIGHTS)
def env(
    domain: Domain = "",
    *,
    token: Token = False,
    form: Annotated[Form, typer.Option("--format", help="For a shell, for the chart, or as a Secret.")] = Form.ENV,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print the secrets too.")] = False,
) -> None:
    """Print the service's variables for this tenant.

    Exit status: 0 when they are known, 2 when they are not.
    """
    run = _loaded()
    raise typer.Exit(run.env(run.Options(domain, token), form.value, secrets=show_secrets))


def _loaded() -> Any:  # noqa: ANN401 - a module, typed where it is written
    try:
        with nothing_in_hand(), _kept():
            from app.cli.tenant import run  # noqa: PLC0415 - what it loads takes seconds, and may not be installed
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "auth0":
            raise
        typer.echo(_MISSING, err=True)
        raise typer.Exit(_UNUSABLE) from None
    return run


@contextmanager
def _kept() -> Iterator[None]:
    """Load without looking for garbage, now and later: what is loaded stays, and to look took a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
