# SPDX-License-Identifier: MIT
"""Checks that several requirements share: fields of applications, client grants, enabled connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auth0.management.types import UpdateEnabledClientConnectionsRequestContentItem

from app.cli.tenant.errors import TenantError, Unreadable
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auth0.management.types import ClientGrantResponseContent, ConnectionForList, GetClientResponseContent

    from app.cli.tenant.tenant import Application, Role, TenantSetup

    Options = dict[str, Any]

RS256: Final = "RS256"
_SECONDS: Final = 36_000


def words(values: Iterable[object]) -> str:
    """Return values as they are shown, in an order of their own."""
    return " ".join(sorted(map(str, values))) or "none"


def compared(client: GetClientResponseContent, wanted: dict[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    """Return which of an application's fields are to be changed, and to what.

    `optional`: grants that may be there and need not.
    """
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        found = getattr(client, name)
        if name == "grant_types" and set(value) <= set(found or ()) <= {*value, *optional}:
            continue
        if name == "grant_types" and found is not None:
            value = [*value, *(one for one in optional if one in found)]  # noqa: PLW2901 - what may stay, stays
        if found != value:
            changes[name] = value
    if "token_endpoint_auth_method" in changes and client.client_authentication_methods is not None:
        changes["client_authentication_methods"] = None  # an application has the one or the other
    return changes


def differences(client: GetClientResponseContent, changes: dict[str, Any]) -> list[Difference]:
    """Return what of an application is to be changed."""
    found = {name: getattr(client, name) for name in changes}
    return [Difference(name, _shown(value), _shown(found[name])) for name, value in changes.items()]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return words(value)
    return value if isinstance(value, str) and value else "another way" if value else "none"


def changing(tenant: TenantSetup, application: Application, changes: dict[str, Any]) -> Step:
    """Return the step that changes fields of an application."""

    async def run() -> None:
        client_id, clients = application.client_id, tenant.admin.api.clients
        await tenant.admin.call("update application", lambda: clients.update(client_id, **changes), writes=True)

    what = f"change {', '.join(changes)} of the application {application.role.title}"
    return Step(what, Order.APPLICATION, run, foreign=not application.mine)


def making(tenant: TenantSetup, application: Application, fields: dict[str, Any], *, keyed: bool = False) -> Step:
    """Return the step that makes an application."""

    async def run() -> None:
        clients, role = tenant.admin.api.clients, application.role
        made = await tenant.admin.call(
            "create application",
            lambda: clients.create(name=role.title, client_metadata=role.mark, **fields),
            writes=True,
        )
        if not made.client_id:
            raise Unreadable("create application")
        application.client_id = made.client_id

    return Step(f"make the application {application.role.title}", Order.APPLICATION, run, keyed=keyed)


def jwt_of(client: GetClientResponseContent) -> tuple[list[Difference], dict[str, Any]]:
    """Return what is wrong with how an application's ID tokens are signed, and the change that mends it."""
    found = client.jwt_configuration.alg if client.jwt_configuration else None
    if found == RS256:
        return [], {}
    life = client.jwt_configuration.lifetime_in_seconds if client.jwt_configuration else None
    change = {"alg": RS256, "lifetime_in_seconds": life or _SECONDS}
    return [Difference("signature of ID tokens", RS256, found or "none")], {"jwt_configuration": change}


async def grant(
    what: str, tenant: TenantSetup, application: Application, scopes: tuple[str, ...], subject: str
) -> Finding:
    """Look at which scopes of the Management API an application has: `client` in its own name, `user` in users'."""
    step = _granting(tenant, application, scopes, subject)
    if not application.client_id:
        return missing(what, "there is no such application yet", *([] if application.given else [step]))
    audience, grants = tenant.wanted.audience, tenant.admin.api.client_grants
    found = await tenant.admin.all(
        "list client grants", lambda: grants.list(client_id=application.client_id, audience=audience, take=50)
    )
    # A grant without a subject type is of the time before there were others.
    wanted = (application.client_id, audience, subject)
    mine = next((one for one in found if (one.client_id, one.audience, one.subject_type or "client") == wanted), None)
    if mine is None:
        return missing(what, "there is no client grant on the Management API", step)
    everything = mine.allow_all_scopes is True
    if set(mine.scope or ()) == set(scopes) and not everything:
        return well(what, f"exactly {' '.join(scopes)}")
    return differs(
        what,
        [Difference("scopes", words(scopes), "all there are" if everything else words(mine.scope or ()))],
        _regranting(tenant, application, scopes, mine),
    )


def _granting(tenant: TenantSetup, application: Application, scopes: tuple[str, ...], subject: str) -> Step:
    """Return the step that makes a client grant."""

    async def run() -> None:
        client_id, audience, grants = application.client_id, tenant.wanted.audience, tenant.admin.api.client_grants
        await tenant.admin.call(
            "create client grant",
            lambda: grants.create(client_id=client_id, audience=audience, scope=list(scopes), subject_type=subject),
            writes=True,
        )

    what = f"grant {' '.join(scopes)} to {application.role.title}"
    return Step(what, Order.GRANT, run, foreign=not application.mine)


def _regranting(
    tenant: TenantSetup, application: Application, scopes: tuple[str, ...], found: ClientGrantResponseContent
) -> Step:
    """Return the step that lets a client grant be exactly of these scopes."""
    fewer = {"allow_all_scopes": False} if found.allow_all_scopes is True else {}

    async def run() -> None:
        grants = tenant.admin.api.client_grants
        await tenant.admin.call(
            "update client grant", lambda: grants.update(str(found.id), scope=list(scopes), **fewer), writes=True
        )

    what = f"grant exactly {' '.join(scopes)} to {application.role.title}"
    return Step(what, Order.GRANT, run, foreign=not application.mine)


async def secret_of(tenant: TenantSetup, application: Application) -> str:
    """Return an application's client secret, read now; from here on it is shown in no message. Raises TenantError."""
    clients = tenant.admin.api.clients
    found = await tenant.admin.call("get application", lambda: clients.get(application.client_id))
    secret: str = found.client_secret or ""
    if not secret:
        needed = "the token needs read:client_keys"
        raise TenantError(f"get application: the client secret of {application.role.title} is not shown: {needed}")
    tenant.admin.secrets = (*tenant.admin.secrets, secret)
    return secret


async def connection(tenant: TenantSetup, name: str) -> ConnectionForList | None:
    """Return the connection of that name."""
    connections = tenant.admin.api.connections
    found = await tenant.admin.all("list connections", lambda: connections.list(name=name, take=50))
    return next((one for one in found if one.name == name), None)


def making_connection(tenant: TenantSetup, name: str, what: str, roles: Iterable[Role], fields: dict[str, Any]) -> Step:
    """Return the step that makes a connection, enabled for those applications that are there by then."""

    async def run() -> None:
        # As it stands when the step is made: the applications may have been made a moment ago.
        applications = [await tenant.application(role) for role in roles]
        clients, connections = [one.client_id for one in applications if one.client_id], tenant.admin.api.connections
        await tenant.admin.call(
            "create connection",
            lambda: connections.create(name=name, enabled_clients=clients, **fields),
            writes=True,
        )

    return Step(f"make the connection {name}, with {what}", Order.CONNECTION, run)


def changing_options(
    tenant: TenantSetup, found: ConnectionForList, what: str, mended: Callable[[Options], Options], *, foreign: bool
) -> Step:
    """Return the step that changes options of a connection to what `mended` makes of them."""

    async def run() -> None:
        connections = tenant.admin.api.connections
        # Options are replaced as a whole: what stands there now stays.
        now = await tenant.admin.call("get connection", lambda: connections.get(str(found.id)))
        options: Any = mended(now.options or {})
        await tenant.admin.call(
            "update connection", lambda: connections.update(str(found.id), options=options), writes=True
        )

    return Step(what, Order.CONNECTION, run, foreign=foreign)


async def enabled_for(
    tenant: TenantSetup, found: ConnectionForList, application: Application, *, foreign: bool
) -> tuple[list[Difference], list[Step]]:
    """Look at whether a connection is enabled for an application."""
    connection_id, clients = str(found.id), tenant.admin.api.connections.clients

    async def run() -> None:
        request = [UpdateEnabledClientConnectionsRequestContentItem(client_id=application.client_id, status=True)]
        await tenant.admin.call(
            "enable connection", lambda: clients.update(connection_id, request=request), writes=True
        )

    if application.client_id:
        enabled = await tenant.admin.all("list clients of connection", lambda: clients.get(connection_id, take=100))
        if any(one.client_id == application.client_id for one in enabled):
            return [], []
    title = application.role.title
    steps = [Step(f"enable {found.name} for {title}", Order.CONNECTION, run, foreign=foreign)]
    if application.given and not application.client_id:
        steps = []
    return [Difference("enabled for", title, "not enabled for it")], steps
