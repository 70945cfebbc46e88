# SPDX-License-Identifier: MIT
"""The database connection: the platform's accounts, with usernames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well
from app.cli.tenant.requirements.common import connection, enabled_for
from app.cli.tenant.tenant import MARK, Role, TenantSetup

if TYPE_CHECKING:
    from auth0.management.types import ConnectionForList

NAME: Final = "Username-Password-Authentication"
_WHAT: Final = "database connection"
_MARK: Final = "database"


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at the connection, at usernames, and whether it is enabled for the profile application."""
    profile = await tenant.application(Role.PROFILE)
    found = await connection(tenant, NAME)
    if found is None:
        return [missing(_WHAT, f"there is no connection {NAME}", _making(tenant))]
    foreign = (found.metadata or {}).get(MARK) != _MARK
    wrong, steps = [], []
    if found.strategy != "auth0":
        remedy = "give that connection another name"
        return [differs(_WHAT, [Difference("strategy", "auth0", str(found.strategy))], remedy=remedy)]
    if not _has_usernames(found.options or {}):
        wrong.append(Difference("usernames", "required", "not required"))
        steps.append(_requiring(tenant, found, foreign=foreign))
    disabled, enabling = await enabled_for(tenant, found, profile, foreign=foreign)
    wrong, steps = wrong + disabled, steps + enabling
    if wrong:
        return [differs(_WHAT, wrong, *steps)]
    return [well(_WHAT, f"{NAME}, with usernames, enabled for {profile.role.title}")]


def _making(tenant: TenantSetup) -> Step:
    async def run() -> None:
        # As it stands when the step is made: the applications may have been made a moment ago.
        roles = (Role.PROFILE, Role.LFX_ONE)
        applications = [await tenant.application(role) for role in roles]
        await tenant.admin.call(
            "create connection",
            lambda: tenant.admin.api.connections.create(
                name=NAME,
                strategy="auth0",
                options={"requires_username": True, "brute_force_protection": True},
                enabled_clients=[one.client_id for one in applications if one.client_id],
                metadata={MARK: _MARK},
            ),
            writes=True,
        )

    return Step(f"make the connection {NAME}, with usernames", Order.CONNECTION, run)


def _requiring(tenant: TenantSetup, found: ConnectionForList, *, foreign: bool) -> Step:
    async def run() -> None:
        connections = tenant.admin.api.connections
        # Options are replaced as a whole: what stands there now stays.
        now = await tenant.admin.call("get connection", lambda: connections.get(str(found.id)))
        options: Any = _with_usernames(now.options or {})
        await tenant.admin.call(
            "update connection", lambda: connections.update(str(found.id), options=options), writes=True
        )

    return Step(f"require usernames in {NAME}", Order.CONNECTION, run, foreign=foreign)


def _has_usernames(options: dict[str, Any]) -> bool:
    """Whether users need a username: by the option that there always was, or by attributes, where they are used."""
    attributes = options.get("attributes")
    if not isinstance(attributes, dict):
        return options.get("requires_username") is True
    username = attributes.get("username")
    username = username if isinstance(username, dict) else {}
    signup, identifier = username.get("signup"), username.get("identifier")
    return (
        isinstance(signup, dict)
        and signup.get("status") == "required"
        and isinstance(identifier, dict)
        and identifier.get("active") is True
    )


def _with_usernames(options: dict[str, Any]) -> dict[str, Any]:
    attributes = options.get("attributes")
    if not isinstance(attributes, dict):
        return {**options, "requires_username": True}
    username = attributes.get("username")
    username = username if isinstance(username, dict) else {}
    needed = {**username, "identifier": {"active": True}, "signup": {"status": "required"}, "profile_required": True}
    return {**options, "attributes": {**attributes, "username": needed}}
