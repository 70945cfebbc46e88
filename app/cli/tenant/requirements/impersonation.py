# SPDX-License-Identifier: MIT
"""Impersonation: the platform's API, the Action that decides, its look-up application, and the exchange profile."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from auth0.management.types import ActionSecretRequest, ActionTrigger, ActionVersionDependency

from app.cli.tenant import scopes
from app.cli.tenant.errors import Refused
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well
from app.cli.tenant.requirements.common import RS256, changing, compared, differences, grant, making, words
from app.cli.tenant.tenant import Application, Role, Tenant

if TYPE_CHECKING:
    from auth0.management.types import Action, GetActionResponseContent, TokenExchangeProfileResponseContent

NAME: Final = "LFX V2 Auth Service impersonation"
_API, _ACTION, _PROFILE = "platform's API", "exchange Action", "exchange profile"
_LOOKUP, _LOOKUP_RIGHTS = "look-up application", "its rights to look up"
_TRIGGER: Final = "custom-token-exchange"
_DEPENDENCY: Final = ("jose", "5.9.6")
_SECRETS: Final = (
    *("DOMAIN", "TENANT_DOMAIN", "API_AUDIENCE", "SERVICE_CLIENT_ID"),
    *("LOOKUP_CLIENT_ID", "LOOKUP_CLIENT_SECRET"),
)
_MADE: Final = "// Made for the auth service"
"""How the code of an Action begins that `apply` may change."""

_FIELDS: Final[dict[str, Any]] = {
    "app_type": "non_interactive",
    "token_endpoint_auth_method": "client_secret_post",
    "grant_types": ["client_credentials"],
}
_NOT_FOUND: Final = 404
_BUILT: Final = "built"
_LOOKS, _PAUSE = 60, 1.0


async def look(tenant: Tenant) -> list[Finding]:
    """Look at all of it, where it is wanted at all."""
    if not tenant.wanted.impersonation:
        return []
    api = await _api(tenant)
    profiles = tenant.line.api.token_exchange_profiles
    listed = await tenant.line.all("list exchange profiles", lambda: profiles.list(take=100))
    profile = next((one for one in listed if one.subject_token_type == tenant.wanted.impersonation), None)
    action = await _found(tenant, profile)
    state = _Action(tenant, action, await _runtime(tenant))
    findings = [api]
    if action is None or state.mine:
        findings += await _lookup(tenant)
    return [*findings, state.finding(), _exchange(tenant, profile, state)]


async def _api(tenant: Tenant) -> Finding:
    identifier, servers = tenant.wanted.impersonation, tenant.line.api.resource_servers
    try:
        found = await tenant.line.call("get API", lambda: servers.get(identifier))
    except Refused as error:
        if error.status != _NOT_FOUND:
            raise

        async def make() -> None:
            await tenant.line.call(
                "create API",
                lambda: servers.create(identifier=identifier, name="LFX V2 API", signing_alg=RS256),
                writes=True,
            )

        return missing(_API, "there is none with that identifier", Step("make the API", Order.API, make))
    if found.signing_alg == RS256:
        return well(_API, f"{found.name}, {RS256}")

    async def sign() -> None:
        await tenant.line.call("update API", lambda: servers.update(str(found.id), signing_alg=RS256), writes=True)

    step = Step(f"sign tokens of {found.name} with {RS256}", Order.API, sign, foreign=True)
    return differs(_API, [Difference("signature", RS256, str(found.signing_alg))], step)


async def _lookup(tenant: Tenant) -> list[Finding]:
    application = await tenant.application(Role.LOOKUP)
    client = application.found
    rights = await grant(_LOOKUP_RIGHTS, tenant, application, scopes.LOOKUP, "client")
    if client is None:
        return [missing(_LOOKUP, "there is none", making(tenant, application, _FIELDS)), rights]
    changes = compared(client, _FIELDS)
    if changes:
        return [differs(_LOOKUP, differences(client, changes), changing(tenant, application, changes)), rights]
    return [well(_LOOKUP, f"{client.name}"), rights]


async def _runtime(tenant: Tenant) -> str:
    """Return the runtime that the tenant takes for the current one."""
    listed = await tenant.line.call("list triggers", tenant.line.api.actions.triggers.list)
    found = [one for one in listed.triggers or () if one.id == _TRIGGER and one.default_runtime]
    current = [one for one in found if one.status == "CURRENT"] or found
    return (current[-1].default_runtime if current else None) or "node22"


async def _found(
    tenant: Tenant, profile: TokenExchangeProfileResponseContent | None
) -> Action | GetActionResponseContent | None:
    actions = tenant.line.api.actions
    if profile is not None:
        action_id = str(profile.action_id)
        return await tenant.line.call("get Action", lambda: actions.get(action_id))
    listed = await tenant.line.all(
        "list Actions",
        lambda: actions.list(trigger_id=_TRIGGER, action_name=NAME, per_page=50),
        total="total",
    )
    return next((one for one in listed if one.name == NAME), None)


def code() -> str:
    """Return the Action's code, as the guide shows it."""
    return files("app.cli.tenant").joinpath("impersonation-action.js").read_text(encoding="utf-8")


class _Action:
    """The Action that decides about exchanges: found or still to be made."""

    def __init__(self, tenant: Tenant, action: Action | GetActionResponseContent | None, runtime: str) -> None:
        self._tenant = tenant
        self._action = action
        self._runtime = runtime
        self.action_id = (action.id if action else None) or ""
        self.mine = action is not None and (action.code or "").startswith(_MADE)

    def finding(self) -> Finding:
        """Return what is wrong with it. Of one that was not made for the service only that it runs, and on what."""
        action = self._action
        if action is None:
            make = Step(f"make the Action {NAME}", Order.ACTION, self._make)
            return missing(_ACTION, "there is none", make, Step("deploy the Action", Order.ACTION, self._deploy))
        drafted = self._differences(action)
        running = action.deployed_version
        steps = []
        if drafted:
            what = f"change {', '.join(one.what for one in drafted)} of the Action {action.name}"
            steps.append(Step(what, Order.ACTION, self._change, foreign=not self.mine))
        wrong = list(drafted)
        if not drafted and running is not None and running.runtime not in {None, self._runtime}:
            wrong.append(Difference("runtime that is deployed", self._runtime, str(running.runtime)))
        if running is None or not action.all_changes_deployed:
            wrong.append(Difference("deployment", "of all changes", "not deployed" if running is None else "older"))
        if not wrong:
            return well(_ACTION, f"{action.name}, deployed, {self._runtime}")
        deploy = Step("deploy the Action", Order.ACTION, self._deploy, foreign=not self.mine)
        return differs(_ACTION, wrong, *steps, deploy)

    def _differences(self, action: Action | GetActionResponseContent) -> list[Difference]:
        found = []
        if action.runtime != self._runtime:
            found.append(Difference("runtime", self._runtime, str(action.runtime)))
        if not self.mine:
            return found
        if action.code != code():
            found.append(Difference("code", "as in the guide", "another"))
        if [one.name for one in action.dependencies or ()] != [_DEPENDENCY[0]]:
            names = words(one.name for one in action.dependencies or ())
            found.append(Difference("dependencies", _DEPENDENCY[0], names))
        if {one.name for one in action.secrets or ()} != set(_SECRETS):
            names = words(one.name for one in action.secrets or ())
            found.append(Difference("secrets", words(_SECRETS), names))
        return found

    async def _make(self) -> None:
        actions = self._tenant.line.api.actions
        fields = await self._fields()
        made = await self._tenant.line.call(
            "create Action",
            lambda: actions.create(name=NAME, supported_triggers=[ActionTrigger(id=_TRIGGER, version="v1")], **fields),
            writes=True,
        )
        self.action_id = made.id or ""

    async def _change(self) -> None:
        actions = self._tenant.line.api.actions
        fields = await self._fields() if self.mine else {"runtime": self._runtime}
        await self._tenant.line.call("update Action", lambda: actions.update(self.action_id, **fields), writes=True)

    async def _deploy(self) -> None:
        line = self._tenant.line
        for _ in range(_LOOKS):
            action = await line.call("get Action", lambda: line.api.actions.get(self.action_id))
            if action.status in {None, _BUILT}:
                break
            await asyncio.sleep(_PAUSE)  # a draft is deployed once it is built
        await line.call("deploy Action", lambda: line.api.actions.deploy(self.action_id), writes=True)

    async def _fields(self) -> dict[str, Any]:
        tenant = self._tenant
        service = await tenant.application(Role.SERVICE)
        lookup = await tenant.application(Role.LOOKUP)
        values = (
            tenant.line.host,
            urlsplit(tenant.wanted.audience).netloc,
            tenant.wanted.impersonation,
            service.client_id,
            lookup.client_id,
            await secret_of(tenant, lookup),
        )
        pairs = zip(_SECRETS, values, strict=True)
        return {
            "code": code(),
            "runtime": self._runtime,
            "dependencies": [ActionVersionDependency(name=_DEPENDENCY[0], version=_DEPENDENCY[1])],
            "secrets": [ActionSecretRequest(name=name, value=value) for name, value in pairs],
        }


async def secret_of(tenant: Tenant, application: Application) -> str:
    """Return an application's client secret, read now; from here on it is shown in no message."""
    clients = tenant.line.api.clients
    found = await tenant.line.call("get application", lambda: clients.get(application.client_id))
    secret = found.client_secret or ""
    tenant.line.secrets = (*tenant.line.secrets, secret)
    return secret


def _exchange(tenant: Tenant, profile: TokenExchangeProfileResponseContent | None, action: _Action) -> Finding:
    if profile is not None:
        return well(_PROFILE, f"{profile.name}, for that type of token")

    async def make() -> None:
        profiles = tenant.line.api.token_exchange_profiles
        await tenant.line.call(
            "create exchange profile",
            lambda: profiles.create(
                name=NAME,
                subject_token_type=tenant.wanted.impersonation,
                action_id=action.action_id,
                type="custom_authentication",
            ),
            writes=True,
        )

    step = Step("make the exchange profile", Order.EXCHANGE, make)
    return missing(_PROFILE, "there is none for that type of token", step)
