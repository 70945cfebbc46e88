# SPDX-License-Identifier: MIT
"""`auth-service dev`: NATS, the service on a provider and its documentation, on this machine, in one command.

A provider's stand-ins are set up by a module here, named in `_OPENERS`; the rest is the same for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from pydantic_settings.sources import read_env_file

import providers
from app.bus.subjects import PREFIX
from app.cli import FAILED, UNUSABLE, fail
from app.cli.dev.auth0 import auth0_stand_in
from app.cli.dev.authelia import authelia_stand_in
from app.cli.dev.bare import run_bare
from app.cli.dev.mock import mock_stand_in
from app.cli.dev.nats_server import NatsServerUnavailable, free_port, nats_server, on_usual_port
from app.cli.dev.stand_in import Opener, StandIn, StandInMissing, Try, Wishes
from app.cli.dev_tokens import offered
from app.cli.terminal import WIDTH, command, table
from app.main import run
from app.settings import ConfigurationError, NatsSettings, ProviderSettings, Settings
from app.settings.types import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import FrameType

    from app.main import Service

_ENV_FILE: Final = Path(".env")
_NATS_PORT: Final = 4222
_LOOPBACK: Final = "127.0.0.1"
_MOST_USERS: Final = 8
_GREETS_WITHIN: Final = 10.0
_LOOK: Final = 0.02
_TOKENS: Final = 'To send a user\'s token, add `--as NAME`, or write "@NAME" in the body.'
_ALIAS_DOMAIN: Final = "linux.com"
_INSTALL: Final = "Install them in a checkout with `make install`, or put a nats-server on the PATH."

_OPENERS: Final[dict[str, Opener]] = {
    "mock": mock_stand_in,
    "auth0": auth0_stand_in,
    "authelia": authelia_stand_in,
}


def develop(provider: str, wishes: Wishes) -> int:
    """Run everything on that provider, as wished for, until Ctrl-C, and return the exit status."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a script that starts it with `&` has it ignored
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` asks for that
        signal.signal(signal.SIGHUP, _end)
    try:
        if wishes.bare:
            return run_bare(_NATS_PORT, wishes, _command())
        _let_libraries_read(_ENV_FILE)
        # The provider is the one asked for here, so what another one would need is not asked for.
        given = Settings(
            ProviderSettings(type="mock"),
            env_file=_ENV_FILE,
            further=providers.faults if provider == "mock" else lambda _: (),
        )
        with (
            on_usual_port(_NATS_PORT, nats_server) as server,
            _OPENERS[provider](given, server.url, wishes) as stand_in,
        ):
            os.environ.update(stand_in.environment)
            settings = _for_development(given, provider, server.url, stand_in)
            with offered(server.url, stand_in.tokens):
                return _serve(settings, lambda service: _greet_when_all_stands(service, settings, stand_in))
    except ConfigurationError as error:
        raise fail(str(error), UNUSABLE) from None
    except StandInMissing as error:
        raise fail(str(error), FAILED) from None
    except NatsServerUnavailable as error:
        raise fail(f"{error}.\n{_INSTALL}", FAILED) from None
    except OSError as error:
        raise fail(str(error), FAILED) from None
    except KeyboardInterrupt:  # before the service took over the signals
        return 0


def _let_libraries_read(file: Path) -> None:
    """Put what libraries take from the environment by themselves there, if it stands in the file alone."""
    if not file.is_file():
        return
    with contextlib.suppress(OSError, UnicodeDecodeError):  # the settings name it
        for name, value in read_env_file(file, encoding="utf-8", case_sensitive=True).items():
            if name.startswith(("OTEL_", "SSL_CERT_")) and value and not os.environ.get(name):
                os.environ[name] = value


def _serve(settings: Settings, greet: Callable[[Service], Coroutine[Any, Any, None]]) -> int:
    """Run the service; on another port where the one that was found free is not: only who listens knows for sure."""
    try:
        try:
            return run(settings, greet)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        settings.http = settings.http.model_copy(update={"port": 0})
        return run(settings, greet)
    finally:
        # The loop that has ended took its handler along. A second SIGTERM would leave the nats-server behind.
        signal.signal(signal.SIGTERM, _end)


def _end(_: int, __: FrameType | None) -> None:
    """Treat the end of a terminal like Ctrl-C: the nats-server has a session of its own and would live on."""
    signal.raise_signal(signal.SIGINT)


def _for_development(given: Settings, provider: str, nats_url: str, stand_in: StandIn) -> Settings:
    """Return the settings with what `dev` decides itself, and its own defaults where nothing is given.

    Raises ConfigurationError.
    """
    http, log, aliases = given.http, given.log, given.aliases
    bind = http.bind if "bind" in http.model_fields_set else _LOOPBACK
    port = free_port(http.port, _LOOPBACK if bind == "*" else bind)
    if "format" not in log.model_fields_set:
        log = log.model_copy(update={"format": "console"})
    if "allowed_domains" not in aliases.model_fields_set:
        aliases = aliases.model_copy(update={"allowed_domains": (_ALIAS_DOMAIN,)})
    decided = (
        ProviderSettings.model_validate({"type": provider}),
        NatsSettings.model_construct(
            servers=(nats_url,), subject_prefix=given.nats.subject_prefix, queue_group=given.nats.queue_group
        ),
        http.model_copy(update={"bind": bind, "port": port}),
        log,
        aliases,
    )
    # Later ones take the place of earlier ones: what is given, what the stand-ins need, what is decided here.
    sections = (value for value in vars(given).values() if isinstance(value, Section))
    settings = Settings(*sections, *stand_in.sections, *decided)
    if faults := providers.faults(settings):
        raise ConfigurationError("\n".join(faults))
    return settings


async def _greet_when_all_stands(service: Service, settings: Settings, stand_in: StandIn) -> None:
    """Greet as soon as what is shown works: Authelia's users are found once the first synchronisation is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GREETS_WITHIN):
            while any(service.readiness().values()):  # noqa: ASYNC110 - nobody tells when a part stands
                await asyncio.sleep(_LOOK)
    _greet(service, settings, stand_in)


def _greet(service: Service, settings: Settings, stand_in: StandIn) -> None:
    """Print where everything is, who there is, and what to try."""
    nats_url = settings.nats.servers[0]
    host = _LOOPBACK if settings.http.bind == "*" else settings.http.bind
    web = f"http://{f'[{host}]' if ':' in host else host}:{service.http_port}"
    places = [("NATS", nats_url), ("Documentation", f"{web}/docs"), ("Health", f"{web}/readyz?verbose")]
    parts = [
        "",
        table([*places, *stand_in.places], indent=""),
        "",
        *_paragraph(f"Users ({_aliases(settings)}):" if stand_in.aliases else "Users:"),
        table(stand_in.users[: _MOST_USERS + 1], width=WIDTH),
        *([f"  … and {more} more"] if (more := len(stand_in.users) - 1 - _MOST_USERS) > 0 else []),
        "",
        *(line for note in (_TOKENS, *stand_in.notes) for line in _paragraph(note)),
        "",
        "Try, in another terminal:",
        *(line for one in stand_in.requests for line in _lines(one, settings.nats)),
        "",
        "Ctrl-C ends all of it.",
        "",
    ]
    typer.echo("\n".join(parts))


def _aliases(settings: Settings) -> str:
    return f"aliases are given out for {', '.join(settings.aliases.allowed_domains) or 'no domain'}"


def _lines(one: Try, nats: NatsSettings) -> list[str]:
    """Return a request as it can be pasted, after its remark."""
    prefix = [] if nats.subject_prefix == PREFIX else [f"SUBJECT_PREFIX={nats.subject_prefix}"]
    words = [*prefix, _command(), "request", "--nats-url", nats.servers[0], one.subject]
    words += [*(["--as", one.user] if one.user else []), *([one.body] if one.body else [])]
    return [*([f"  # {one.remark}"] if one.remark else []), command(words)]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _command() -> str:
    """Return how this command was called, as it can be called again from here."""
    called = Path(sys.argv[0])
    if called.name != "auth-service":
        called = Path(sys.executable).with_name("auth-service")
    path = called.absolute()
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
