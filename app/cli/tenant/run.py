# SPDX-License-Identifier: MIT
"""The work of the commands: look, plan, make, and print."""

from __future__ import annotations

import os.path
import re
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from app.cli import FAILED, OK, UNUSABLE
from app.cli.tenant import environment, requirements, rights
from app.cli.tenant.admin_api import AdminApi
from app.cli.tenant.errors import TenantError, Unreachable, Unusable
from app.cli.tenant.findings import Finding, Order, State, Step
from app.cli.tenant.keys import KeyPair
from app.cli.tenant.show import Screen, as_json
from app.cli.tenant.tenant import TenantSetup, Wanted, cannot_tell
from app.cli.terminal import give_up_output
from app.interruption import INTERRUPTED, run
from app.proxies import ignore_proxies
from app.settings import ConfigurationError, ProcessSettings, WorkSettings
from app.settings.administration import AdministrationSettings
from app.settings.auth0 import Auth0Settings
from app.settings.reading import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,62}}(?::[0-9]{{1,5}})?")


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    domain: str = ""
    token: bool = False
    as_json: bool = False
    yes: bool = False
    adopt: bool = False
    new_key: Path | None = None


class Command:
    """One run of a command."""

    def __init__(self, options: Options) -> None:
        """Read the settings. Raises Unusable, ConfigurationError."""
        reader = Reader((), None)
        self.options = options
        self.settings = reader.read(Auth0Settings)
        self.administration = reader.read(AdministrationSettings)
        self.at_once = reader.read(WorkSettings).max_concurrent_requests
        reader.read(ProcessSettings)
        reader.complain(self.settings.wrong())
        reader.finish()
        self.screen = Screen()
        given = options.domain or (self.settings.host if self.settings.domain or self.settings.tenant else "")
        # The tenant's own names of itself, in tokens and as an API, are in lower case.
        self._host = given.lower()
        if not _HOST.fullmatch(self._host):
            raise Unusable("which tenant? Give --domain, AUTH0_DOMAIN or AUTH0_TENANT: a host name, and nothing else")
        if options.new_key is not None and os.path.lexists(options.new_key):
            how = f'AUTH0_M2M_PRIVATE_BASE64_KEY="$(cat {shlex.quote(str(options.new_key))})"'
            raise Unusable(f"{options.new_key} is there already; to use the key in it, set {how}")
        self._given = rights.given_token() if options.token else ""
        self._key = self._own_key()
        self._written = False

    def _own_key(self) -> KeyPair | None:
        if self.options.new_key is not None:
            return KeyPair.generated()
        return KeyPair(self.settings.private_key()) if self.settings.m2m_private_key.get_secret_value() else None

    @asynccontextmanager
    async def tenant(self) -> AsyncIterator[tuple[TenantSetup, str]]:
        """Open the way to the tenant; gives the tenant and the token. Raises Unusable, Unreachable."""
        settings = self.settings
        hidden = filter(None, (*settings.secrets, *self.administration.secrets, self._given))
        async with AdminApi(self._host, hidden, self.screen.complain).opened() as admin:
            guessed = settings.audience or f"https://{self._host}/api/v2/"
            token = await rights.token(admin, self.administration, self._given, guessed)
            admin.use(token)
            wanted = Wanted(
                settings,
                settings.audience or rights.audience_of(token, self._host),
                events=settings.events,
                key=self._key,
            )
            yield TenantSetup(admin, wanted), token

    async def look(self, tenant: TenantSetup, token: str) -> list[Finding]:
        """Look at everything. Raises Unreachable."""
        findings: list[Finding] = []
        with self.screen.working("") as status:
            for requirement in requirements.ALL:
                status.update(f"looking at the tenant: {requirement.__name__.rpartition('.')[2]}")
                try:
                    findings += await requirement.look(tenant)
                except Unreachable:
                    raise
                except TenantError as error:
                    findings.append(cannot_tell(requirement.__name__.rpartition(".")[2].replace("_", " "), error))
        if not tenant.admin.answered:
            raise Unreachable(f"{self._host} does not answer as a tenant's Management API does")
        reachable = rights.sufficient(token, impersonation=bool(tenant.wanted.impersonation))
        return [reachable, *findings, rights.limits(tenant.admin, self.at_once)]

    def steps(self, findings: list[Finding]) -> list[Step]:
        """Return what is to be done, in order."""
        steps = sorted((step for one in findings for step in one.steps), key=lambda step: step.order)
        keyed = [step for step in steps if step.keyed]
        if self.options.new_key is None or self._written or not keyed:
            return steps
        # Of no use where nothing is done with it.
        foreign = all(step.foreign for step in keyed)
        return [Step(f"write the private key to {self.options.new_key}", Order.KEY, self._write, foreign), *steps]

    async def _write(self) -> None:
        if self._key is not None and self.options.new_key is not None:
            self._key.write(self.options.new_key)
            self._written = True


def check(options: Options) -> int:
    """Print how the tenant is, and return the exit status."""

    async def work(command: Command) -> int:
        async with command.tenant() as (tenant, token):
            findings = await command.look(tenant, token)
        return _told(command, findings)

    return _run(options, work)


def plan(options: Options) -> int:
    """Print what `apply` would do, and return the exit status."""

    async def work(command: Command) -> int:
        async with command.tenant() as (tenant, token):
            findings = await command.look(tenant, token)
        steps = command.steps(findings)
        if options.as_json:
            listed = [{"what": step.what, "needs_adopt": step.foreign} for step in steps]
            typer.echo(as_json({"steps": listed, "requirements": [one.described() for one in findings]}))
        else:
            command.screen.plan(steps, adopt=options.adopt)
            _tell_what_no_step_mends(command, findings)
        return OK if _is_well(findings) else FAILED

    return _run(options, work)


def apply(options: Options) -> int:
    """Make the tenant what it should be, and return the exit status."""

    async def work(command: Command) -> int:
        async with command.tenant() as (tenant, token):
            findings = await command.look(tenant, token)
            steps = command.steps(findings)
            command.screen.plan(steps, adopt=options.adopt)
            _tell_what_no_step_mends(command, findings)
            todo = [step for step in steps if options.adopt or not step.foreign]
            if todo and not (options.yes or command.screen.agrees()):
                return FAILED
            await _make(command, todo)
            if not todo:
                return _told(command, findings)
            # Seen anew: nothing of what was known before counts.
            again = TenantSetup(tenant.admin, tenant.wanted)
            return _told(command, await command.look(again, token))

    return _run(options, work)


def env(options: Options, form: str, *, secrets: bool) -> int:
    """Print the service's variables for this tenant, and return the exit status."""

    async def work(command: Command) -> int:
        async with command.tenant() as (tenant, _):
            plain, hidden = await environment.variables(tenant, secrets=secrets)
        typer.echo(environment.FORMS[form](plain, hidden))
        return OK

    return _run(options, work)


async def _make(command: Command, steps: list[Step]) -> None:
    for number, step in enumerate(steps, 1):
        try:
            with command.screen.working(step.what):
                await step.run()
        except TenantError as error:
            raise _Failed(f"step {number} of {len(steps)} failed: {step.what}: {error}") from None
        except OSError as error:
            raise _Failed(f"step {number} of {len(steps)} failed: {step.what}: {error.strerror}") from None
        command.screen.say(f"done  {step.what}")


class _Failed(Exception):
    """A step was not made."""


def _is_well(findings: list[Finding]) -> bool:
    return all(one.state is State.OK for one in findings)


def _told(command: Command, findings: list[Finding]) -> int:
    well = _is_well(findings)
    if command.options.as_json:
        typer.echo(as_json({"ok": well, "requirements": [one.described() for one in findings]}))
    else:
        command.screen.table(findings)
    return OK if well else FAILED


def _tell_what_no_step_mends(command: Command, findings: list[Finding]) -> None:
    for one in findings:
        if one.state is not State.OK and not one.steps:
            command.screen.say(f"by hand: {one.what}: {one.details}: {one.remedy}")


def _run(options: Options, work: Callable[[Command], Coroutine[Any, Any, int]]) -> int:
    ignore_proxies()
    screen = Screen()
    try:
        return run(work(Command(options)))
    except (Unusable, Unreachable, ConfigurationError) as error:
        screen.complain(*str(error).splitlines())
        return UNUSABLE
    except (_Failed, TenantError) as error:
        screen.complain(str(error), "What was done stays; run the command again to go on from there.")
        return FAILED
    except BrokenPipeError:
        raise  # nobody reads any more, which needs no word
    except OSError as error:
        give_up_output()
        screen.complain(f"The output cannot be written: {error.strerror}.")
        return FAILED
    except KeyboardInterrupt:
        screen.complain("Interrupted. What was done stays; run the command again to go on from there.")
        return INTERRUPTED
