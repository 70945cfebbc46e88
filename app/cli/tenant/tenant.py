# SPDX-License-Identifier: MIT
"""The data that all requirements share: how the tenant is called, what is wanted, and the applications."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from app.cli.tenant.errors import Refused, TenantError
from app.cli.tenant.findings import Difference, Finding, differs, missing, unknown

if TYPE_CHECKING:
    from auth0.management.types import Client, GetClientResponseContent

    from app.cli.tenant.admin_api import AdminApi
    from app.cli.tenant.keys import KeyPair
    from app.settings.auth0 import Auth0Settings

MARK: Final = "lfx-auth-service"
"""The metadata by which what was made for the service is known; its value says for what."""

_LISTED: Final = "client_id,name,client_metadata"
_PAGE: Final = 100
_NOT_FOUND: Final = 404


class Role(Enum):
    """An application: what it is called in the tenant, and the variable that names it."""

    SERVICE = ("LFX V2 Auth Service", "AUTH0_M2M_CLIENT_ID")
    PROFILE = ("LFX One Profile", "AUTH0_LFX_PROFILE_CLIENT_ID")
    LFX_ONE = ("LFX One", "AUTH0_LFX_ONE_CLIENT_ID")
    LOOKUP = ("LFX V2 Auth Service impersonation look-up", "")

    @property
    def title(self) -> str:
        """Its name in the tenant."""
        return self.value[0]

    @property
    def variable(self) -> str:
        """What names it in the configuration; empty where nothing does."""
        return self.value[1]

    @property
    def mark(self) -> dict[str, Any]:
        """The metadata that it is made with."""
        return {MARK: self.name.lower().replace("_", "-")}


@dataclass
class Application:
    """An application. `client_id` is empty until it is found or made."""

    role: Role
    given: str = ""
    client_id: str = ""
    others: int = 0
    """How many there are besides that could as well be it."""
    found: GetClientResponseContent | None = None
    mine: bool = True
    """Whether it was made for the service, so that it may be changed."""


@dataclass(frozen=True)
class Wanted:
    """What the tenant is to be made ready for."""

    settings: Auth0Settings
    audience: str
    """Identifier of the Management API."""
    events: bool = False
    key: KeyPair | None = None

    @property
    def impersonation(self) -> str:
        """Identifier of the platform's API; empty where impersonation is not wanted."""
        return self.settings.lfx_v2_api_audience


@dataclass
class TenantSetup:
    """A look at a tenant."""

    admin: AdminApi
    wanted: Wanted
    _applications: dict[Role, Application] = field(default_factory=dict)
    _listed: list[Client] | None = None

    async def application(self, role: Role) -> Application:
        """Return an application: the one that the configuration names, else the one made for it, else one so called.

        Raises TenantError.
        """
        if role not in self._applications:
            self._applications[role] = await self._find(role)
        return self._applications[role]

    async def _find(self, role: Role) -> Application:
        settings = self.wanted.settings
        ids = {
            Role.SERVICE: settings.m2m_client_id,
            Role.PROFILE: settings.profile_client_id,
            Role.LFX_ONE: settings.lfx_one_client_id,
        }
        application = Application(role, given=ids.get(role, ""))
        candidates = [application.given] if application.given else await self._candidates(role)
        client_id = candidates[0] if candidates else ""
        application.others = len(candidates[1:])
        if client_id:
            application.found = await self._get(client_id)
        if application.found is not None:
            application.client_id = client_id
            application.mine = _is_marked(application.found, role)
        return application

    async def _candidates(self, role: Role) -> list[str]:
        """Return the applications that bear the mark, else those so called, in an order that is always the same."""
        if self._listed is None:
            clients = self.admin.api.clients
            self._listed = await self.admin.all(
                "list applications",
                lambda: clients.list(fields=_LISTED, include_fields=True, include_totals=True, per_page=_PAGE),
                size=_PAGE,
            )
        marked = {one.client_id for one in self._listed if one.client_id and _is_marked(one, role)}
        named = {one.client_id for one in self._listed if one.client_id and one.name == role.title}
        return sorted(marked or named)

    async def _get(self, client_id: str) -> GetClientResponseContent | None:
        try:
            return await self.admin.call("get application", lambda: self.admin.api.clients.get(client_id))
        except Refused as error:
            if error.status == _NOT_FOUND:
                return None
            raise


def _is_marked(client: Client | GetClientResponseContent, role: Role) -> bool:
    return bool((client.client_metadata or {}).get(MARK) == role.mark[MARK])


def not_there(what: str, application: Application) -> Finding:
    """Return that the application which the configuration names does not exist: none is made in its place."""
    variable = application.role.variable
    remedy = f"correct {variable}, or unset it and let apply make one"
    return missing(what, f"no application has the id in {variable}", remedy=remedy)


def several(what: str, application: Application) -> list[Finding]:
    """Return that more than one application could be it, as two who apply at once make them; nothing is deleted."""
    if not application.others:
        return []
    role = application.role
    wrong = Difference("applications so marked or called", "one", str(application.others + 1))
    name = f"name the right one in {role.variable}, or " if role.variable else ""
    return [differs(what, [wrong], remedy=f"{name}delete the others; {application.client_id} is used now")]


def cannot_tell(what: str, error: TenantError) -> Finding:
    """Return that the tenant did not let it be seen."""
    lacking = error.lacking if isinstance(error, Refused) else ""
    if lacking:
        return unknown(what, f"the token lacks {lacking}", f"grant {lacking} to the token's application")
    return unknown(what, str(error), "see the tenant's log, then try again")
