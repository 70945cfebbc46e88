# SPDX-License-Identifier: MIT
"""The options of `auth-service compare`. What it needs is imported when it runs: other commands start quickly."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.compare.report import Form

_OF_NATS = "NATS_URL, or nats://localhost:4222"
_OF_PREFIX = "SUBJECT_PREFIX, or lfx.auth-service."


def compare(  # noqa: PLR0913, PLR0917 - a parameter an option
    old: Annotated[str | None, typer.Option(help="NATS of the old service.", show_default=_OF_NATS)] = None,
    new: Annotated[str | None, typer.Option(help="NATS of the new service.", show_default=_OF_NATS)] = None,
    old_prefix: Annotated[
        str | None, typer.Option(help="Prefix of the old service's subjects.", show_default=_OF_PREFIX)
    ] = None,
    new_prefix: Annotated[
        str | None, typer.Option(help="Prefix of the new service's subjects.", show_default=_OF_PREFIX)
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="One value per line: address, username, subject identifier or token. `-`: stdin"
        ),
    ] = None,
    from_traffic: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="For this long (`10m`, `24h`), send callers' reads to both services."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=10_000, help="Requests a second to each service.")] = 10.0,
    timeout: Annotated[str, typer.Option(help="The timeout of a request.")] = "12s",
    output_format: Annotated[Form, typer.Option("--format", help="The format of the report.")] = Form.TEXT,
    *,
    show: Annotated[bool, typer.Option("--show", help="Show addresses and ids in clear, but no tokens.")] = False,
) -> None:
    """Send the same reads to two services and report where the replies differ.

    It sends only look-ups, user_metadata.read, user_emails.read and
    user_identity.list. With --from-traffic it counts the writes that it
    sees. It does not disturb callers and sends no replies.

    The two services use different NATS servers, or different prefixes on one.
    The variables NATS_* for authentication and TLS apply to both.

    Ctrl-C ends it early and prints the report so far.

    Exit status: 0 when there are only known differences, 1 when there are
    others, 2 when nothing could be compared.

    Example: auth-service compare --new-prefix lfx.auth-service-next. --from-traffic 10m
    """
    from app.cli.compare.running import Options, compared  # noqa: PLC0415 - see the module's first line

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
