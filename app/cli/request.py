# SPDX-License-Identifier: MIT
"""`auth-service request`: one request, one reply, as a person wants to read it."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

import typer
from nats.errors import Error as NatsError

from app.bus.subjects import PREFIX
from app.cli import FAILED, OK, UNUSABLE, fail, say
from app.cli.as_user import NoPlace, as_user, with_tokens
from app.cli.connection import Unreachable, connected, nats_at, seconds_of
from app.cli.dev_tokens import known
from app.cli.terminal import printable
from app.interruption import run
from app.settings import ConfigurationError
from clients.python.lfx_auth_service import AuthService, Unanswered, Unavailable
from routers import subjects

if TYPE_CHECKING:
    from app.bus.subjects import Subject
    from app.settings import NatsSettings


class NoReply(Exception):
    """There was none; the message says why."""


def send(subject: str, body: bytes, *, nats_url: str | None, timeout: str, user: str | None = None) -> int:
    """Send `body` to `subject`, print the reply, and return the exit status.

    `user` is the one of a running `dev` whose token goes along.
    """
    seconds = seconds_of(timeout, "--timeout")
    try:
        nats = nats_at(nats_url)
        asked = _subject(subject, nats.subject_prefix)
        body = _with_tokens(asked, body, user, nats)
        reply = run(_ask(asked.name, body, nats, seconds))
    except (ConfigurationError, Unreachable, NoReply) as error:
        raise fail(str(error), UNUSABLE) from None
    text, succeeded = readable(reply)
    say(text)
    return OK if succeeded else FAILED


def readable(reply: bytes) -> tuple[str, bool]:
    """Return a reply as it is shown, and whether it is a success: a bare text, or an object that says so."""
    text = reply.decode("utf-8", "replace")
    if not text.startswith("{"):
        return printable(text), True
    try:
        value = json.loads(text)
        return printable(json.dumps(value, indent=2, ensure_ascii=False)), value.get("success") is True
    except (ValueError, RecursionError):
        return printable(text), False


def _with_tokens(subject: Subject, body: bytes, user: str | None, nats: NatsSettings) -> bytes:
    tokens = known(nats.servers)
    body = with_tokens(body, tokens or {})
    if user is None:
        return body
    if tokens is None:
        raise typer.BadParameter("no `auth-service dev` of yours runs on that NATS", param_hint="--as")
    if user not in tokens:
        raise typer.BadParameter(f"{user!r} has no token there; {', '.join(tokens)} have", param_hint="--as")
    try:
        return as_user(subject, body, tokens[user])
    except NoPlace as error:
        raise typer.BadParameter(str(error), param_hint="--as") from None


def _subject(subject: str, prefix: str) -> Subject:
    name = subject.removeprefix(prefix).removeprefix(PREFIX)
    declared = {one.name: one for one in subjects()}
    if name in declared:
        return declared[name]
    names = list(declared)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"
    raise typer.BadParameter(f"{subject!r} is no subject of the service; {hint}", param_hint="SUBJECT")


async def _ask(subject: str, body: bytes, nats: NatsSettings, seconds: float) -> bytes:
    address = nats.subject_prefix + subject
    async with connected(nats, seconds) as client:
        try:
            return await AuthService(client, prefix=nats.subject_prefix, patience=seconds).send(subject, body)
        except Unavailable:
            raise NoReply(f"nobody answers {address}: is the service running on this NATS?") from None
        except Unanswered:
            raise NoReply(f"no reply from {address} within {seconds:g} s") from None
        except NatsError as error:
            raise NoReply(f"{address}: {str(error).removeprefix('nats: ')}") from None
