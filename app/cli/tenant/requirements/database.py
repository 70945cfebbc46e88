# SPDX-License-Identifier: MIT
"""The database connection: the platform's accounts, with usernames."""

from __future__ import annotations

from typing import Any, Final

from app.cli.tenant.findings import Difference, Finding, differs, missing, well
from app.cli.tenant.requirements.common import changing_options, connection, enabled_for, making_connection
from app.cli.tenant.tenant import MARK, Role, TenantSetup

NAME: Final = "Username-Password-Authentication"
_WHAT: Final = "database connection"
_MARK: Final = "database"


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at the connection, at usernames, and whether it is enabled for the profile application."""
    profile = await tenant.application(Role.PROFILE)
    found = await connection(tenant, NAME)
    if found is None:
        options = {"requires_username": True, "brute_force_protection": True}
        fields = {"strategy": "auth0", "options": options, "metadata": {MARK: _MARK}}
        make = making_connection(tenant, NAME, "usernames", [Role.PROFILE, Role.LFX_ONE], fields)
        return [missing(_WHAT, f"there is no connection {NAME}", make)]
    foreign = (found.metadata or {}).get(MARK) != _MARK
    wrong, steps = [], []
    if found.strategy != "auth0":
        remedy = "give that connection another name"
        return [differs(_WHAT, [Difference("strategy", "auth0", str(found.strategy))], remedy=remedy)]
    if not _has_usernames(found.options or {}):
        wrong.append(Difference("usernames", "required", "not required"))
        steps.append(changing_options(tenant, found, f"require usernames in {NAME}", _with_usernames, foreign=foreign))
    disabled, enabling = await enabled_for(tenant, found, profile, foreign=foreign)
    wrong, steps = wrong + disabled, steps + enabling
    if wrong:
        return [differs(_WHAT, wrong, *steps)]
    return [well(_WHAT, f"{NAME}, with usernames, enabled for {profile.role.title}")]


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
