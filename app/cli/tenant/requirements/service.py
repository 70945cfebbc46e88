# SPDX-License-Identifier: MIT
"""The service's own application: machine to machine, by a key, with exactly the scopes that it uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from auth0.management.types import (
    ClientAuthenticationMethod,
    ClientAuthenticationMethodPrivateKeyJwt,
    ClientCreateAuthenticationMethod,
    ClientCreateAuthenticationMethodPrivateKeyJwt,
    ClientTokenExchangeConfiguration,
    CredentialId,
    PublicKeyCredential,
)

from app.cli.tenant import scopes
from app.cli.tenant.findings import Difference, Finding, Order, Step, differs, missing, unknown, well
from app.cli.tenant.requirements.common import RS256, changing, compared, differences, grant, making
from app.cli.tenant.tenant import Application, Role, TenantSetup, not_there, several

if TYPE_CHECKING:
    from auth0.management.types import ClientCredential, GetClientResponseContent

    from app.cli.tenant.keys import KeyPair

_WHAT: Final = "M2M application"
_KEY: Final = "its key"
_RIGHTS: Final = "its rights"
_EXCHANGE: Final = "custom_authentication"
_EXCHANGE_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_GIVE_KEY: Final = "set AUTH0_M2M_PRIVATE_BASE64_KEY, or apply with --generate-key FILE"


async def look(tenant: TenantSetup) -> list[Finding]:
    """Look at the application, its key and its client grant."""
    application = await tenant.application(Role.SERVICE)
    wanted = (*scopes.SERVICE, scopes.EVENTS) if tenant.wanted.events else scopes.SERVICE
    if application.found is None:
        if application.given:
            return [not_there(_WHAT, application)]
        made = _made(tenant, application)
        rights = await grant(_RIGHTS, tenant, application, wanted, "client")
        return [made, rights] if made.steps else [made]
    return [
        _fields(tenant, application, application.found),
        await _key(tenant, application, application.found),
        await grant(_RIGHTS, tenant, application, wanted, "client"),
        *several(f"{_WHAT}s", application),
    ]


def _made(tenant: TenantSetup, application: Application) -> Finding:
    key = tenant.wanted.key
    if key is None:
        return missing(_WHAT, "there is none, and no key to make it with", remedy=_GIVE_KEY)
    credential = _credential(key)
    method = ClientCreateAuthenticationMethodPrivateKeyJwt(credentials=[PublicKeyCredential(**credential)])
    fields: dict[str, Any] = {
        "app_type": "non_interactive",
        "grant_types": ["client_credentials"],
        "client_authentication_methods": ClientCreateAuthenticationMethod(private_key_jwt=method),
    }
    if tenant.wanted.impersonation:
        fields["token_exchange"] = ClientTokenExchangeConfiguration(allow_any_profile_of_type=[_EXCHANGE])
    return missing(_WHAT, "there is none", making(tenant, application, fields, keyed=True))


def _fields(tenant: TenantSetup, application: Application, client: GetClientResponseContent) -> Finding:
    wanted = {"app_type": "non_interactive", "grant_types": ["client_credentials"]}
    optional = [_EXCHANGE_GRANT] if tenant.wanted.impersonation else []
    changes = compared(client, wanted, optional)
    wrong = differences(client, changes)
    types = (client.token_exchange.allow_any_profile_of_type if client.token_exchange else None) or []
    if tenant.wanted.impersonation and _EXCHANGE not in types:
        wrong.append(Difference("token exchange", "allowed", "not allowed"))
        changes["token_exchange"] = ClientTokenExchangeConfiguration(allow_any_profile_of_type=[*types, _EXCHANGE])
    if changes:
        return differs(_WHAT, wrong, changing(tenant, application, changes))
    return well(_WHAT, f"{client.name}, client_credentials")


async def _key(tenant: TenantSetup, application: Application, client: GetClientResponseContent) -> Finding:
    key = tenant.wanted.key
    credentials = tenant.admin.api.clients.credentials
    held = await tenant.admin.call("list credentials", lambda: credentials.list(application.client_id))
    used = _used(client)
    if key is None:
        if not used:
            return missing(_KEY, "it has no key", remedy=_GIVE_KEY)
        return unknown(_KEY, "there is no private key here to compare with", "set AUTH0_M2M_PRIVATE_BASE64_KEY")
    registered = next((one for one in held if one.kid == key.thumbprint), None)
    if registered is None:
        from app.cli.tenant.proof import proves  # noqa: PLC0415 - it loads the provider, for keys registered by hand

        if used and await proves(tenant.admin, key, application.client_id, tenant.wanted):
            return well(_KEY, "registered by hand; the tenant takes what it signs")
        steps = (_registering(tenant, application, key), _using(tenant, application, key))
        found = words_of([one for one in held if one.id in used])
        return differs(_KEY, [Difference("key", f"thumbprint {key.thumbprint}", found)], *steps)
    return _registered(tenant, application, client, registered, used)


def _registered(
    tenant: TenantSetup,
    application: Application,
    client: GetClientResponseContent,
    registered: ClientCredential,
    used: set[str],
) -> Finding:
    key = tenant.wanted.key
    wrong = []
    if registered.alg != RS256:
        wrong.append(Difference("algorithm", RS256, str(registered.alg)))
    if _is_expired(registered):
        wrong.append(Difference("expiry", "none, or later", str(registered.expires_at)))
    if wrong or key is None:
        return differs(_KEY, wrong, remedy="remove that credential in the dashboard, then apply")
    if registered.id not in used:
        found = client.token_endpoint_auth_method or "without"
        unused = Difference("authentication", "private_key_jwt with it", found)
        return differs(_KEY, [unused], _using(tenant, application, key))
    return well(_KEY, f"thumbprint {key.thumbprint}")


def _is_expired(credential: ClientCredential) -> bool:
    expiry = credential.expires_at
    return expiry is not None and expiry.replace(tzinfo=expiry.tzinfo or UTC) <= datetime.now(UTC)


def _used(client: GetClientResponseContent) -> set[str]:
    methods = client.client_authentication_methods
    return {one.id for one in (methods.private_key_jwt.credentials if methods and methods.private_key_jwt else [])}


def words_of(held: list[ClientCredential]) -> str:
    """Return the keys that an application has, by their ids."""
    return ", ".join(str(one.kid) for one in held) or "none"


def _credential(key: KeyPair) -> dict[str, Any]:
    return {
        "credential_type": "public_key",
        "name": Role.SERVICE.title,
        "pem": key.public,
        "alg": RS256,
        "kid": key.thumbprint,
    }


def _registering(tenant: TenantSetup, application: Application, key: KeyPair) -> Step:
    async def run() -> None:
        credentials = tenant.admin.api.clients.credentials
        await tenant.admin.call(
            "create credential",
            lambda: credentials.create(application.client_id, **_credential(key)),
            writes=True,
        )

    what = f"register the key with {application.role.title}"
    return Step(what, Order.APPLICATION, run, foreign=not application.mine, keyed=True)


def _using(tenant: TenantSetup, application: Application, key: KeyPair) -> Step:
    async def run() -> None:
        clients = tenant.admin.api.clients
        # Replaced as a whole: a key that came in meanwhile stays in.
        now = await tenant.admin.call("get application", lambda: clients.get(application.client_id))
        used = _used(now)
        held = await tenant.admin.call("list credentials", lambda: clients.credentials.list(application.client_id))
        named = [one.id for one in held if one.id and (one.id in used or one.kid == key.thumbprint)]
        method = ClientAuthenticationMethodPrivateKeyJwt(credentials=[CredentialId(id=one) for one in named])
        await tenant.admin.call(
            "update application",
            lambda: clients.update(
                application.client_id,
                token_endpoint_auth_method=None,
                client_authentication_methods=ClientAuthenticationMethod(private_key_jwt=method),
            ),
            writes=True,
        )

    what = f"let {application.role.title} authenticate by the key"
    return Step(what, Order.APPLICATION, run, foreign=not application.mine)
