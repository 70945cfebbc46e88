# SPDX-License-Identifier: MIT
"""A short-lived connection to NATS, for commands that ask something."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import typer
from nats.aio.client import DEFAULT_INBOX_PREFIX
from nats.errors import AuthorizationError, NoServersError
from nats.errors import Error as NatsError

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.security import security_options
from app.settings import NatsSettings, parse_duration
from app.settings.checks import check_prefix
from app.settings.reading import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.client import Client

_BETWEEN: Final = 0.1


class Unreachable(Exception):
    """NATS does not answer; the message says why."""


def nats_at(url: str | None, prefix: str | None = None, option: str = "--prefix") -> NatsSettings:
    """Return how NATS is reached: as the environment says, but for the addresses and the prefix that are given.

    No other variable counts: who asks needs no provider. Raises ConfigurationError, and BadParameter for a prefix that
    is none.
    """
    reader = Reader((), None)
    settings = reader.read(NatsSettings)
    reader.finish()
    servers = tuple(server for part in (url or "").split(",") if (server := part.strip()))
    given: dict[str, object] = {"servers": servers} if servers else {}
    if prefix is not None:
        try:
            given["subject_prefix"] = check_prefix(prefix)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return settings.model_copy(update=given)


def seconds_of(duration: str, option: str) -> float:
    """Return the seconds of what was given for an option. Raises BadParameter for no duration, or an endless one."""
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    if not isinstance(seconds, float) or not 0 < seconds < float("inf"):
        raise typer.BadParameter("must be greater than 0 and finite", param_hint=option)
    return seconds


def _nobody(_: Exception) -> None:
    """Listen to no fault."""


@asynccontextmanager
async def connected(
    settings: NatsSettings,
    seconds: float,
    told: Callable[[Exception], None] = _nobody,
    **more: Any,  # noqa: ANN401
) -> AsyncIterator[Client]:
    """Connect within `seconds`, give the connection, and close it at the end. `more` goes to the client library.

    Each address has an equal share of the seconds, so that one where nobody answers leaves the others theirs. `told`
    hears of what goes wrong meanwhile.

    Raises:
        Unreachable: no server took the connection.
        ConfigurationError: a certificate or key cannot be loaded.
    """
    options = {
        "max_reconnect_attempts": 0,
        "reconnect_time_wait": _BETWEEN,
        "connect_timeout": seconds / len(settings.servers),
        "inbox_prefix": DEFAULT_INBOX_PREFIX,
        **security_options(settings),
        **more,
    }
    # The client library logs each attempt with a traceback; the person gets one line instead.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    # The last one says why; of a service that floods its callers there are many.
    faults: deque[Exception] = deque(maxlen=1)

    async def remember(fault: Exception) -> None:
        faults.append(fault)
        told(fault)

    client = ReconnectingClient()
    try:
        try:
            async with asyncio.timeout(seconds):
                await client.connect(
                    list(settings.servers),
                    error_cb=remember,
                    name="auth-service",
                    **options,
                )
        except Exception as error:  # noqa: BLE001 - a bad address or seed raises whatever the library happens to do with it
            raise Unreachable(f"NATS at {without_passwords(settings)}: {_reason(error, faults)}") from None
        yield client
    finally:
        # A connection that was cut off is closed either way, and what was asked by it is not lost.
        with suppress(Exception):
            await client.close()


def _reason(error: Exception, faults: deque[Exception]) -> str:
    cause = faults[-1] if faults and isinstance(error, NoServersError | TimeoutError) else error
    if isinstance(cause, AuthorizationError) or "authorization" in str(cause).lower():
        return "refused: authorization"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError):
        # Errors of asyncio carry a number and a text of their own; those of several addresses carry neither.
        return os.strerror(cause.errno) if cause.errno else cause.strerror or str(cause) or "cannot connect"
    if isinstance(cause, NatsError):
        return str(cause).removeprefix("nats: ")
    return f"cannot connect ({type(cause).__name__})"


def without_passwords(settings: NatsSettings) -> str:
    """Return the addresses; before the `@` of one there may be a password."""
    return ", ".join(
        f"{scheme}{separator}{rest.rpartition('@')[2]}"
        for scheme, separator, rest in (server.rpartition("://") for server in settings.servers)
    )
