# SPDX-License-Identifier: MIT
"""Impersonation: the platform's API, the Action that decides, its look-up application, and the exchange profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.cli.tenant import scopes
from app.cli.tenant.errors import Refused
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well
from app.cli.tenant.requirements.common import RS256, changing, compared, differences, grant, making
from app.cli.tenant.requirements.exchange_action import NAME, TRIGGER, ExchangeAction, is_made
from app.cli.tenant.tenant import Role, TenantSetup, several

if TYPE_CHECKING:
    from auth0.management.types import Action, GetActionResponseContent, TokenExchangeProfileResponseContent

_API, _PROFILE = "platform's API", "exchange profile"
_LOOKUP, _LOOKUP_RIGHTS = "look-up application", "its rights to look up"
_FIELDS: Final[dict[str, Any]] = {
    "app_type": "non_interactive",
    "token_endpoint_auth_method": "client_secret_post",
    "grant_types": ["client_credentials"],
}
_NOT_FOUND: Final = 404
_PAGE: Final = 50


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at all of it, where it is wanted at all."""
    if not tenant.wanted.impersonation:
        return []
    api = await _api(tenant)
    profiles = tenant.admin.api.token_exchange_profiles
    listed = await tenant.admin.all("list exchange profiles", lambda: profiles.list(take=100))
    profile = next((one for one in listed if one.subject_token_type == tenant.wanted.impersonation), None)
    action = await _found(tenant, profile)
    state = ExchangeAction(tenant, action, await _runtime(tenant))
    findings = [api]
    if not state.foreign:
        findings += await _lookup(tenant)
    return [*findings, state.finding(), _exchange(tenant, profile, state)]


async def _api(tenant: TenantSetup) -> Finding:
    identifier, servers = tenant.wanted.impersonation, tenant.admin.api.resource_servers
    try:
        found = await tenant.admin.call("get API", lambda: servers.get(identifier))
    except Refused as error:
        if error.status != _NOT_FOUND:
            raise

        async def make() -> None:
            await tenant.admin.call(
                "create API",
                lambda: servers.create(identifier=identifier, name="LFX V2 API", signing_alg=RS256),
                writes=True,
            )

        return missing(_API, "there is none with that identifier", Step("make the API", Order.API, make))
    if found.signing_alg == RS256:
        return well(_API, f"{found.name}, {RS256}")

    async def sign() -> None:
        await tenant.admin.call("update API", lambda: servers.update(str(found.id), signing_alg=RS256), writes=True)

    step = Step(f"sign tokens of {found.name} with {RS256}", Order.API, sign, foreign=True)
    return differs(_API, [Difference("signature", RS256, str(found.signing_alg))], step)


async def _lookup(tenant: TenantSetup) -> list[Finding]:
    application = await tenant.application(Role.LOOKUP)
    client = application.found
    further = [
        await grant(_LOOKUP_RIGHTS, tenant, application, scopes.LOOKUP, "client"),
        *several(f"{_LOOKUP}s", application),
    ]
    if client is None:
        return [missing(_LOOKUP, "there is none", making(tenant, application, _FIELDS)), *further]
    changes = compared(client, _FIELDS)
    if changes:
        return [differs(_LOOKUP, differences(client, changes), changing(tenant, application, changes)), *further]
    return [well(_LOOKUP, f"{client.name}"), *further]


async def _runtime(tenant: TenantSetup) -> str:
    """Return the runtime that the tenant takes for the current one."""
    listed = await tenant.admin.call("list triggers", tenant.admin.api.actions.triggers.list)
    found = [one for one in listed.triggers or () if one.id == TRIGGER and one.default_runtime]
    current = [one for one in found if one.status == "CURRENT"] or found
    return (current[-1].default_runtime if current else None) or "node22"


async def _found(
    tenant: TenantSetup, profile: TokenExchangeProfileResponseContent | None
) -> Action | GetActionResponseContent | None:
    actions = tenant.admin.api.actions
    if profile is not None:
        action_id = str(profile.action_id)
        try:
            return await tenant.admin.call("get Action", lambda: actions.get(action_id))
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
    listed = await tenant.admin.all(
        "list Actions", lambda: actions.list(trigger_id=TRIGGER, action_name=NAME, per_page=_PAGE), size=_PAGE
    )
    named = [one for one in listed if one.name == NAME]
    return next(filter(is_made, named), named[0] if named else None)


def _exchange(
    tenant: TenantSetup, profile: TokenExchangeProfileResponseContent | None, action: ExchangeAction
) -> Finding:
    if profile is not None and profile.action_id != action.action_id:
        wrong = Difference("its Action", "there", "deleted")
        return differs(_PROFILE, [wrong], remedy=f"delete the profile {profile.name} in the dashboard, then apply")
    if profile is not None:
        return well(_PROFILE, f"{profile.name}, for that type of token")

    async def make() -> None:
        profiles = tenant.admin.api.token_exchange_profiles
        await tenant.admin.call(
            "create exchange profile",
            lambda: profiles.create(
                name=NAME,
                subject_token_type=tenant.wanted.impersonation,
                action_id=action.action_id,
                type="custom_authentication",
            ),
            writes=True,
        )

    # It would let somebody else's code decide who may act for whom.
    step = Step("make the exchange profile", Order.EXCHANGE, make, foreign=action.foreign)
    return missing(_PROFILE, "there is none for that type of token", step)
