# SPDX-License-Identifier: MIT
"""The command `auth-service`. What a command needs is imported inside it, so that each starts quickly."""

from __future__ import annotations

import errno
import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from app.cli.compare.command import compare
from app.cli.tenant import tenant
from app.cli.terminal import end_output, give_up_output

OK: Final = 0
FAILED: Final = 1
"""The result is negative: an error reply, a stale file, an address in use, NATS not reachable."""
UNUSABLE: Final = 2
"""The command could not run: bad configuration, bad usage, no reply."""

_UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Of a write to an open file that is no pipe, for whom Typer has its own end."""

app = typer.Typer(
    name="auth-service",
    help="""Look up users and change their data, by NATS request/reply.

    Start with [bold]auth-service dev[/bold]: it needs nothing else and shows what to try.""",
    epilog="Exit status: 0 success; 1 a negative result; 2 bad configuration or usage, or no reply.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tenant)


class Format(StrEnum):
    """How the document is written."""

    YAML = "yaml"
    JSON = "json"


class Stage(StrEnum):
    """The providers that `dev` can run on."""

    MOCK = "mock"
    AUTH0 = "auth0"
    AUTHELIA = "authelia"


def main() -> None:
    """Run the command. Output that cannot be written ends it with UNUSABLE: the help's and the version's too."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # it may be closed
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself
    try:
        app(prog_name="auth-service")
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        give_up_output()
        fail(f"standard output: {error.strerror}", UNUSABLE)
        sys.exit(UNUSABLE)


def subject_names(incomplete: str = "") -> list[str]:
    """Return the short names of the subjects that begin with `incomplete`."""
    from routers import subjects  # noqa: PLC0415 - see the module's first line

    return [subject.name for subject in subjects() if subject.name.startswith(incomplete)]


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - what Typer calls it with
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - see the module's first line

        typer.echo(f"auth-service {version('lfx-v2-auth-service')}")
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def fail(message: str, status: int) -> typer.Exit:
    """Write `message` on standard error and return what ends the command with `status`."""
    typer.echo(message, err=True)
    return typer.Exit(status)


def say(text: str) -> None:
    """Write a result on standard output. A full disk, or a reader that has gone, ends the command with UNUSABLE."""
    try:
        typer.echo(text)
    except OSError as error:
        give_up_output()
        raise fail(f"standard output: {error.strerror}", UNUSABLE) from None


def _standard_input() -> bytes:
    if sys.stdin is None:  # it was closed before the command began
        raise fail("standard input: it is closed", UNUSABLE)
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise fail(f"standard input: {error.strerror}", UNUSABLE) from None


@app.command()
def serve() -> None:
    """Run the service in production, configured by environment variables.

    On SIGTERM and SIGINT it replies to all received requests, then stops.

    Exit status: 0 after a drain; 1 when NATS is not reachable or the HTTP
    address is in use; 2 when the configuration is bad.
    """
    import providers  # noqa: PLC0415 - see the module's first line
    from app.main import run  # noqa: PLC0415 - the same
    from app.settings import ConfigurationError, Settings  # noqa: PLC0415 - the same

    try:
        settings = Settings(further=providers.faults)
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    try:
        status = run(settings, ends_process=True)
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    except OSError as error:
        where = f"{settings.http.bind}, port {settings.http.port}"
        raise fail(f"the HTTP side cannot listen (BIND, PORT: {where}): {error.strerror}", FAILED) from None
    end_output()
    raise typer.Exit(status)


@app.command()
def dev(
    *,
    provider: Annotated[
        Stage, typer.Option(help="The provider. Everything that it needs is started too.")
    ] = Stage.MOCK,
    rate_limit: Annotated[
        float,
        typer.Option(min=0, help="auth0: the tenant's limit in calls a second; as many may come at once. 0: none."),
    ] = 0,
    bare: Annotated[
        bool, typer.Option("--bare", help="auth0: only an empty tenant, to try `auth-service tenant`; no service.")
    ] = False,
    events: Annotated[bool, typer.Option("--events", help="auth0: follow the tenant's events.")] = False,
) -> None:
    """Run everything on this machine: NATS, a provider, the documentation.

    Starts a nats-server with JetStream, on port 4222 or a free one, and the
    service with readable logs, HTTP on port 8080 or a free one. Prints the
    addresses, the users, and requests to paste.

    Settings come from the environment and from the file .env, where there
    is one. Ctrl-C ends all of it.
    """
    from app.cli.dev import develop  # noqa: PLC0415 - see the module's first line
    from app.cli.dev.stand_in import Wishes  # noqa: PLC0415 - the same

    if bare and provider is not Stage.AUTH0:
        raise typer.BadParameter("goes with --provider auth0 only", param_hint="--bare")
    raise typer.Exit(develop(provider, Wishes(rate_limit=rate_limit, bare=bare, events=events)))


@app.command()
def request(
    subject: Annotated[
        str,
        typer.Argument(
            help="The subject, with or without its prefix (`lfx.auth-service.`).",
            autocompletion=subject_names,
            show_default=False,
        ),
    ],
    body: Annotated[
        str, typer.Argument(help="The body, text or JSON; `-` reads standard input.", show_default="nothing")
    ] = "",
    nats_url: Annotated[
        str | None,
        typer.Option(
            help="The address of NATS; several are comma-separated.", show_default="NATS_URL, or nats://localhost:4222"
        ),
    ] = None,
    as_user: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Act as this user of the running `dev`: send the user's token."),
    ] = None,
    timeout: Annotated[str, typer.Option(help="The timeout: `500ms`, `12s`, or plain seconds.")] = "12s",
) -> None:
    """Send one request and print the reply.

    SUBJECT_PREFIX and the variables NATS_* for authentication and TLS apply.

    While `auth-service dev` runs on that NATS, `--as ada` puts ada's token
    into the request; `@ada` in the body stands for her token too.

    Exit status: 0 for a success, 1 for an error reply, 2 when nobody answers.

    Example: auth-service request email_to_sub ada@example.org
    """
    from app.cli.request import send  # noqa: PLC0415 - see the module's first line

    payload = _standard_input() if body == "-" else body.encode(errors="surrogateescape")
    raise typer.Exit(send(subject, payload, nats_url=nats_url, timeout=timeout, user=as_user))


@app.command()
def asyncapi(
    output_format: Annotated[
        Format | None, typer.Option("--format", help="The format.", show_default="yaml, or FILE's suffix")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Print nothing; exit with 1 if FILE differs from the document.")
    ] = None,
) -> None:
    """Print the AsyncAPI document, or compare a file with it."""
    from app.main import documents  # noqa: PLC0415 - see the module's first line

    as_json = output_format is Format.JSON or (
        output_format is None and check is not None and check.suffix == f".{Format.JSON}"
    )
    text = documents().json() if as_json else documents().yaml()
    if check is None:
        say(text.removesuffix("\n"))
        return
    try:
        found = check.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise fail(f"{check}: {error.strerror}", FAILED) from None
    if found.strip() != text.strip():
        raise fail(f"{check} is not up to date: write it again with `make asyncapi`", FAILED)
    typer.echo(f"{check} is up to date")


@app.command()
def check() -> None:
    """Check the configuration, NATS and the provider; change nothing.

    Prints a row for each dependency: ok, FAILED or cannot tell.

    Exit status: 0 when every row is ok, 1 when one is not, 2 when the
    configuration is bad.
    """
    from app.cli.check import examine  # noqa: PLC0415 - see the module's first line

    raise typer.Exit(examine())


app.command()(compare)
