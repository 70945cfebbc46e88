# SPDX-License-Identifier: MIT
"""LFX One, into which users log in: reset links end on its pages."""

from __future__ import annotations

from typing import Final

from app.cli.tenant.findings import Difference, Finding, differs, missing, well
from app.cli.tenant.requirements import database
from app.cli.tenant.requirements.common import connection, enabled_for, making
from app.cli.tenant.tenant import MARK, Role, TenantSetup, not_there, several

_WHAT: Final = "LFX One"
_FIELDS: Final = {"app_type": "regular_web", "grant_types": ["authorization_code"]}


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at whether it is there, with the database connection."""
    application = await tenant.application(Role.LFX_ONE)
    if application.found is None and application.given:
        return [not_there(_WHAT, application)]
    steps = [] if application.found else [making(tenant, application, dict(_FIELDS))]
    found = await connection(tenant, database.NAME)
    # The step that makes the connection enables it too.
    disabled: list[Difference] = []
    if found is not None:
        foreign = (found.metadata or {}).get(MARK) != "database"
        disabled, enabling = await enabled_for(tenant, found, application, foreign=foreign)
        steps += enabling
    if application.found is None:
        return [missing(_WHAT, "there is none", *steps)]
    twice = several(f"{_WHAT} applications", application)
    if disabled:
        return [differs(_WHAT, disabled, *steps), *twice]
    connected = database.NAME if found else "no connection yet"
    return [well(_WHAT, f"{application.found.name}, with {connected}"), *twice]
