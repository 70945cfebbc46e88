# SPDX-License-Identifier: MIT
"""The options of `auth-service compare`. What it needs is imported when it runs: other commands start quickly."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.compare.options import Form, Options

_OF_NATS = "NATS_URL, or nats://localhost:4222"
_OF_PREFIX = "SUBJECT_PREFIX, or lfx.auth-service."


def compare(  # noqa: PLR0913, PLR0917 - a parameter an option
    old: Annotated[str | None, typer.Option(help="NATS of the old service.", show_default=_OF_NATS)] = None,
    new: Annotated[str | None, typer.Option(help="NATS of the new service.", show_default=_OF_NATS)] = None,
    old_prefix: Annotated[
        str | None, typer.Option(help="How the old one's subjects begin.", show_default=_OF_PREFIX)
    ] = None,
    new_prefix: Annotated[
        str | None, typer.Option(help="How the new one's subjects begin.", show_default=_OF_PREFIX)
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A line each: address, username, subject identifier, token; `-`: stdin."),
    ] = None,
    from_traffic: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Ask what callers ask the old one meanwhile: `10m`, `24h`."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=10_000, help="Requests a second that each is sent.")] = 10.0,
    timeout: Annotated[str, typer.Option(help="How long to wait for a reply.")] = "12s",
    output_format: Annotated[Form, typer.Option("--format", help="How the report is written.")] = Form.TEXT,
    *,
    show: Annotated[bool, typer.Option("--show", help="Show whose addresses and ids they are; tokens never.")] = False,
) -> None:
    """Ask two services the same reads and say where the answers differ.

    Only the look-ups, user_metadata.read, user_emails.read and
    user_identity.list are sent, ever. With --from-traffic the writes that
    pass by are counted; callers are not disturbed, nothing is answered.

    The two are told apart by their NATS, or on one NATS by their prefixes.
    The variables NATS_* for authentication and TLS count for both.

    Ctrl-C ends it early, with the report of what there is.

    Exit status: 0 when nothing differs but what is known, 1 when something
    does, 2 when nothing could be compared.

    Example: auth-service compare --new-prefix lfx.auth-service-next. --from-traffic 10m
    """
    from app.cli.compare.running import compared  # noqa: PLC0415 - see the module's first line

    options = Options(
        old=old,
        new=new,
        old_prefix=old_prefix,
        new_prefix=new_prefix,
        inputs=inputs,
        from_traffic=from_traffic,
        rate=rate,
        timeout=timeout,
        show=show,
        form=output_format,
    )
    raise typer.Exit(compared(options))
