# SPDX-License-Identifier: MIT
"""A short-lived connection to NATS, for commands that ask something."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer
from nats.aio.client import DEFAULT_INBOX_PREFIX
from nats.errors import AuthorizationError, NoServersError
from nats.errors import Error as NatsError

from app.bus.nats.client import ReconnectingClient
from app.bus.nats.security import security_options
from app.settings import NatsSettings, ProcessSettings, parse_duration
from app.settings.checks import check_prefix, check_servers
from app.settings.reading import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.aio.client import Client

_T = TypeVar("_T")
_R = TypeVar("_R")

_BETWEEN: Final = 0.1


class Unreachable(Exception):
    """NATS does not answer; the message says why."""


def nats_at(url: str | None, prefix: str | None = None, option: str = "--nats-url") -> NatsSettings:
    """Return the settings for NATS: the environment's, with the given addresses and prefix.

    `option` names the option of the addresses; that of the prefix is named after it: `--old`, `--old-prefix`. Settings
    of the provider are not read. Raises ConfigurationError, and BadParameter for an invalid address or prefix.
    """
    reader = Reader((), None)
    settings = reader.read(NatsSettings)
    reader.read(ProcessSettings)
    reader.finish()
    servers = tuple(server for part in (url or "").split(",") if (server := part.strip()))
    given: dict[str, object] = {}
    if servers:
        given["servers"] = _checked(check_servers, servers, option)
    if prefix is not None:
        given["subject_prefix"] = _checked(check_prefix, prefix, f"{option}-prefix")
    return settings.model_copy(update=given)


def _checked(check: Callable[[_T], _R], value: _T, option: str) -> _R:
    try:
        return check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def seconds_of(duration: str, option: str) -> float:
    """Return the seconds of what was given for an option. Raises BadParameter for no duration, or an endless one."""
    seconds = _checked(parse_duration, duration, option)
    if not isinstance(seconds, float) or not 0 < seconds < float("inf"):
        raise typer.BadParameter("must be greater than 0 and finite", param_hint=option)
    return seconds


@asynccontextmanager
async def connected(
    settings: NatsSettings,
    seconds: float,
    told: Callable[[Exception], None] = lambda _: None,
    **more: Any,  # noqa: ANN401
) -> AsyncIterator[Client]:
    """Connect within `seconds`, give the connection, and close it at the end. `more` goes to the client library.

    Each address gets an equal part of the time. `told` is called with each error.

    Raises:
        Unreachable: no server took the connection.
        ConfigurationError: a certificate or key cannot be loaded.
    """
    options = {
        "name": "auth-service",
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
                await client.connect(list(settings.servers), error_cb=remember, **options)
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
        return _reason_of_system(cause)
    if isinstance(cause, NatsError):
        return str(cause).removeprefix("nats: ")
    return f"cannot connect ({type(cause).__name__})"


def _reason_of_system(cause: OSError) -> str:
    # The numbers of these two are the resolver's and OpenSSL's, and no errors of the system.
    if isinstance(cause, ssl.SSLError):
        why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else cause.reason
        return f"TLS: {why or 'it failed'}"
    if cause.errno and not isinstance(cause, socket.gaierror):
        # Errors of asyncio carry a text of their own beside the number; those of several addresses carry neither.
        return os.strerror(cause.errno)
    return cause.strerror or str(cause) or "cannot connect"


def without_passwords(settings: NatsSettings) -> str:
    """Return the addresses; before the `@` of one there may be a password."""
    return ", ".join(
        f"{scheme}{separator}{rest.rpartition('@')[2]}"
        for scheme, separator, rest in (server.rpartition("://") for server in settings.servers)
    )
