# SPDX-License-Identifier: MIT
"""The profile application: codes, passwords, and the tokens with which users change what is theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auth0.management.types import (
    ClientJwtConfiguration,
    ResourceServerSubjectTypeAuthorization,
    ResourceServerSubjectTypeAuthorizationUser,
)

from app.cli.tenant import scopes
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, well
from app.cli.tenant.requirements.common import RS256, changing, compared, differences, grant, jwt_of, making
from app.cli.tenant.tenant import Application, Role, TenantSetup, not_there, several

if TYPE_CHECKING:
    from auth0.management.types import GetClientResponseContent

_WHAT: Final = "profile application"
_RIGHTS: Final = "its users' rights"
_POLICY: Final = "users of the API"
_WANTED: Final[dict[str, Any]] = {
    "app_type": "regular_web",
    "token_endpoint_auth_method": "client_secret_post",
    "grant_types": [
        "authorization_code",
        "http://auth0.com/oauth/grant-type/passwordless/otp",
        "http://auth0.com/oauth/grant-type/password-realm",
    ],
}
_OPTIONAL: Final = ("refresh_token",)
_CLOSED: Final = "deny_all"


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at the application, its users' grant, and whether the Management API takes users at all."""
    application = await tenant.application(Role.PROFILE)
    if application.found is None and application.given:
        return [not_there(_WHAT, application)]
    return [
        _fields(tenant, application, application.found),
        await grant(_RIGHTS, tenant, application, scopes.USERS, "user"),
        await _policy(tenant),
        *several(f"{_WHAT}s", application),
    ]


def _fields(tenant: TenantSetup, application: Application, client: GetClientResponseContent | None) -> Finding:
    if client is None:
        signature = ClientJwtConfiguration(alg=RS256, lifetime_in_seconds=36_000)
        return missing(_WHAT, "there is none", making(tenant, application, {**_WANTED, "jwt_configuration": signature}))
    changes = compared(client, _WANTED, _OPTIONAL)
    unsigned, signing = jwt_of(client)
    wrong = [*differences(client, changes), *unsigned]
    changes |= signing
    if changes:
        return differs(_WHAT, wrong, changing(tenant, application, changes))
    return well(_WHAT, f"{client.name}, client_secret_post")


async def _policy(tenant: TenantSetup) -> Finding:
    audience, servers = tenant.wanted.audience, tenant.admin.api.resource_servers
    api = await tenant.admin.call("get API", lambda: servers.get(audience))
    about = api.subject_type_authorization
    policy = about.user.policy if about and about.user else None
    if policy != _CLOSED:
        return well(_POLICY, f"policy {policy or 'of the tenant'}")

    async def run() -> None:
        user = ResourceServerSubjectTypeAuthorizationUser(policy="require_client_grant")
        # What is said of clients stays, whether the tenant puts one part or the whole in place of what is there.
        wanted = (about or ResourceServerSubjectTypeAuthorization()).model_copy(update={"user": user})
        await tenant.admin.call(
            "update API",
            lambda: servers.update(str(api.id), subject_type_authorization=wanted),
            writes=True,
        )

    step = Step("let granted applications ask for users' tokens of the Management API", Order.API, run, foreign=True)
    return differs(_POLICY, [Difference("policy", "require_client_grant", _CLOSED)], step)
