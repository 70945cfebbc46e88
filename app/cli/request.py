# SPDX-License-Identifier: MIT
"""`auth-service request`: one request, one reply, as a person wants to read it."""

from __future__ import annotations

import asyncio
import difflib
import json
from typing import TYPE_CHECKING

import typer
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from app.cli import FAILED, OK, UNUSABLE, fail, subject_names
from app.cli.connection import Unreachable, connected
from app.cli.terminal import printable
from app.runtime.subjects import PREFIX
from app.settings import ConfigurationError, Settings, parse_duration

if TYPE_CHECKING:
    from app.settings import NatsSettings


class Unanswered(Exception):
    """There was no reply; the message says why."""


def send(subject: str, body: bytes, nats_url: str | None, timeout: str) -> int:
    """Send `body` to `subject`, print the reply, and return the exit status."""
    address = _address(subject)
    seconds = _seconds(timeout)
    try:
        reply = asyncio.run(_ask(address, body, _nats(nats_url), seconds))
    except (ConfigurationError, Unreachable, Unanswered) as error:
        raise fail(str(error), UNUSABLE) from None
    text, succeeded = readable(reply)
    typer.echo(text)
    return OK if succeeded else FAILED


def readable(reply: bytes) -> tuple[str, bool]:
    """Return a reply as it is shown, and whether it is a success."""
    text = reply.decode("utf-8", "replace")
    try:
        value = json.loads(text) if text.startswith("{") else None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return printable(text), True
    return printable(json.dumps(value, indent=2, ensure_ascii=False)), value.get("success") is not False


def _address(subject: str) -> str:
    name = subject.removeprefix(PREFIX)
    known = subject_names()
    if name in known:
        return PREFIX + name
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
    raise typer.BadParameter(f"{subject!r} is no subject of the service; {hint}", param_hint="SUBJECT")


def _seconds(timeout: str) -> float:
    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None
    if not isinstance(seconds, float) or not 0 < seconds < float("inf"):
        raise typer.BadParameter("must be longer than nothing and end some day", param_hint="--timeout")
    return seconds


def _nats(url: str | None) -> NatsSettings:
    settings = Settings().nats
    servers = tuple(server for part in (url or "").split(",") if (server := part.strip()))
    return settings.model_copy(update={"servers": servers}) if servers else settings


async def _ask(address: str, body: bytes, nats: NatsSettings, seconds: float) -> bytes:
    async with connected(nats, seconds) as client:
        try:
            reply = await client.request(address, body, timeout=seconds)
        except NoRespondersError:
            raise Unanswered(f"nobody answers {address}: is the service running on this NATS?") from None
        except TimeoutError:
            raise Unanswered(f"no reply from {address} within {seconds:g} s") from None
        except NatsError as error:
            raise Unanswered(f"{address}: {str(error).removeprefix('nats: ')}") from None
        return reply.data
