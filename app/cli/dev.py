"""`auth-service dev`: NATS, the service on the mock provider and its documentation, on this machine, in one command."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from app.cli import FAILED, UNUSABLE, fail
from app.cli.terminal import table
from app.main import run
from app.runtime.nats_server import NatsServerUnavailable, free_port, nats_server
from app.settings import ConfigurationError, NatsSettings, ProviderSettings, Settings
from providers.mock.users_file import load_users

if TYPE_CHECKING:
    from types import FrameType

    from app.domain.users import User
    from app.main import Service

_ENV_FILE: Final = Path(".env")
_NATS_PORT: Final = 4222
_LOOPBACK: Final = "127.0.0.1"
_ALIAS_DOMAIN: Final = "linux.com"
_INSTALL: Final = "Install them in a checkout with `make install`, or put a nats-server on the PATH."


def develop() -> int:
    """Run everything until Ctrl-C, and return the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        given = Settings(env_file=_ENV_FILE)
        users = [(entry.user, token) for entry, token in load_users(given.mock.users_file)]
        with nats_server(free_port(_NATS_PORT)) as server:
            settings = _for_development(given, server.url)
            return run(settings, lambda service: _greet(service, settings, users))
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    except NatsServerUnavailable as error:
        raise fail(f"{error}.\n{_INSTALL}", FAILED) from None
    except KeyboardInterrupt:  # before the service took over the signals
        return 0


def _end(_: int, __: FrameType | None) -> None:
    """Treat the end of a terminal like Ctrl-C: the nats-server has a session of its own and would live on."""
    signal.raise_signal(signal.SIGINT)


def _for_development(given: Settings, nats_url: str) -> Settings:
    """Return the settings with what `dev` decides itself, and its own defaults where nothing is given."""
    http, log, aliases = given.http, given.log, given.aliases
    bind = http.bind if "bind" in http.model_fields_set else _LOOPBACK
    port = free_port(http.port, _LOOPBACK if bind == "*" else bind)
    if "format" not in log.model_fields_set:
        log = log.model_copy(update={"format": "console"})
    if "allowed_domains" not in aliases.model_fields_set:
        aliases = aliases.model_copy(update={"allowed_domains": (_ALIAS_DOMAIN,)})
    return Settings(
        ProviderSettings(type="mock"),
        NatsSettings.model_construct(servers=(nats_url,)),
        given.work,
        http.model_copy(update={"bind": bind, "port": port}),
        log,
        aliases,
        given.mock,
    )


def _greet(service: Service, settings: Settings, users: list[tuple[User, str]]) -> None:
    """Print where everything is, who there is, and what to try."""
    nats_url = settings.nats.servers[0]
    host = _LOOPBACK if settings.http.bind == "*" else settings.http.bind
    web = f"http://{f'[{host}]' if ':' in host else host}:{service.http_port}"
    rows = [("USER", "E-MAIL", "TOKEN", "SUBJECT IDENTIFIER")]
    rows += [(u.username or "-", u.primary_email or "-", token or "-", u.user_id) for u, token in users]
    parts = [
        "",
        table([("NATS", nats_url), ("Documentation", f"{web}/docs"), ("Health", f"{web}/readyz?verbose")], indent=""),
        "",
        f"Users (aliases are given out for {', '.join(settings.aliases.allowed_domains) or 'no domain'}):",
        table(rows),
        "",
        "Try, in another terminal:",
        *(f"  {line}" for line in requests(users, nats_url)),
        "",
        "Ctrl-C ends all of it.",
        "",
    ]
    typer.echo("\n".join(parts))


def requests(users: list[tuple[User, str]], nats_url: str) -> list[str]:
    """Return three commands that work as they stand; fewer when no user has what they need."""
    known = max(users, key=lambda pair: bool(pair[0].primary_email) + bool(pair[1]), default=None)
    if known is None:
        return []
    user, token = known
    bodies = {
        "email_to_sub": user.primary_email,
        "user_emails.read": json.dumps({"user": {"auth_token": user.user_id}}),
        "user_metadata.update": token and json.dumps({"token": token, "user_metadata": {"city": "Oslo"}}),
    }
    start = shlex.join([_command(), "request", "--nats-url", nats_url])
    return [f"{start} {subject} {shlex.quote(body)}" for subject, body in bodies.items() if body]


def _command() -> str:
    """Return how this command was called, as it can be called again from here."""
    called = Path(sys.argv[0])
    if called.name != "auth-service":
        called = Path(sys.executable).with_name("auth-service")
    path = called.absolute()
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
