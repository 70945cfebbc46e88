# SPDX-License-Identifier: MIT
"""The Action that decides about exchanges: its code, its secrets, whether it is deployed."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from auth0.management.types import ActionSecretRequest, ActionTrigger, ActionVersionDependency

from app.cli.tenant.errors import TenantError, Unreadable
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well
from app.cli.tenant.requirements.common import secret_of, words
from app.cli.tenant.tenant import Role, TenantSetup

if TYPE_CHECKING:
    from auth0.management.types import Action, GetActionResponseContent

NAME: Final = "LFX V2 Auth Service impersonation"
WHAT: Final = "exchange Action"
TRIGGER: Final = "custom-token-exchange"
_DEPENDENCY: Final = ("jose", "5.9.6")
_SECRETS: Final = (
    *("DOMAIN", "TENANT_DOMAIN", "API_AUDIENCE", "SERVICE_CLIENT_ID"),
    *("LOOKUP_CLIENT_ID", "LOOKUP_CLIENT_SECRET"),
)
_MORE: Final = "MORE_AUDIENCES"
"""The secret with further audiences; where none are wanted here, it stays as it is."""

_MADE: Final = "// Made for the auth service"
"""How the code of an Action begins that `apply` may change."""

_BUILT, _UNBUILT = "built", "failed"
_LOOKS, _PAUSE = 60, 1.0


def code() -> str:
    """Return the Action's code, as the guide shows it."""
    return files("app.cli.tenant").joinpath("impersonation-action.js").read_text(encoding="utf-8")


def is_made(action: Action | GetActionResponseContent) -> bool:
    """Whether it was made for the service."""
    return (action.code or "").startswith(_MADE)


class ExchangeAction:
    """The Action that decides about exchanges: found or still to be made."""

    def __init__(self, tenant: TenantSetup, action: Action | GetActionResponseContent | None, runtime: str) -> None:
        self._tenant = tenant
        self._action = action
        self._runtime = runtime
        self.action_id = (action.id if action else None) or ""
        self.mine = action is not None and is_made(action)
        self.foreign = action is not None and not self.mine
        """Whether it is there and was not made for the service."""

    def finding(self) -> Finding:
        """Return what is wrong with it. Of one that was not made for the service only that it runs, and on what."""
        action = self._action
        if action is None:
            make = Step(f"make the Action {NAME}", Order.ACTION, self._make)
            return missing(WHAT, "there is none", make, Step("deploy the Action", Order.ACTION, self._deploy))
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
            return well(WHAT, f"{action.name}, deployed, {self._runtime}")
        deploy = Step("deploy the Action", Order.ACTION, self._deploy, foreign=not self.mine)
        return differs(WHAT, wrong, *steps, deploy)

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
        wanted = {*_SECRETS, *([_MORE] if self._tenant.wanted.settings.impersonation_audiences else [])}
        held = {str(one.name) for one in action.secrets or ()}
        if not wanted <= held <= {*wanted, _MORE}:
            found.append(Difference("secrets", words(wanted), words(held)))
        return found

    async def _make(self) -> None:
        actions = self._tenant.admin.api.actions
        fields = await self._fields()
        made = await self._tenant.admin.call(
            "create Action",
            lambda: actions.create(name=NAME, supported_triggers=[ActionTrigger(id=TRIGGER, version="v1")], **fields),
            writes=True,
        )
        if not made.id:
            raise Unreadable("create Action")
        self.action_id = made.id

    async def _change(self) -> None:
        actions = self._tenant.admin.api.actions
        fields = await self._fields() if self.mine else {"runtime": self._runtime}
        await self._tenant.admin.call("update Action", lambda: actions.update(self.action_id, **fields), writes=True)

    async def _deploy(self) -> None:
        admin = self._tenant.admin
        for _ in range(_LOOKS):
            action = await admin.call("get Action", lambda: admin.api.actions.get(self.action_id))
            if action.status is None or action.status == _BUILT:
                break
            if action.status == _UNBUILT:
                raise TenantError("deploy Action: the tenant could not build it")
            await asyncio.sleep(_PAUSE)  # a draft is deployed once it is built
        await admin.call("deploy Action", lambda: admin.api.actions.deploy(self.action_id), writes=True)

    async def _fields(self) -> dict[str, Any]:
        tenant = self._tenant
        service = await tenant.application(Role.SERVICE)
        lookup = await tenant.application(Role.LOOKUP)
        values = (
            tenant.admin.host,
            urlsplit(tenant.wanted.audience).netloc,
            tenant.wanted.impersonation,
            service.client_id,
            lookup.client_id,
            await secret_of(tenant, lookup),
        )
        secrets = [ActionSecretRequest(name=name, value=value) for name, value in zip(_SECRETS, values, strict=True)]
        more = ",".join(tenant.wanted.settings.impersonation_audiences)
        if more:
            secrets.append(ActionSecretRequest(name=_MORE, value=more))
        elif self._action and any(one.name == _MORE for one in self._action.secrets or ()):
            secrets.append(ActionSecretRequest(name=_MORE))  # without a value it keeps the one that it has
        return {
            "code": code(),
            "runtime": self._runtime,
            "dependencies": [ActionVersionDependency(name=_DEPENDENCY[0], version=_DEPENDENCY[1])],
            "secrets": secrets,
        }
