# SPDX-License-Identifier: MIT
"""`tenant env`: the service's variables for this tenant, in the form in which they are wanted."""

from __future__ import annotations

import base64
import shlex
from typing import TYPE_CHECKING, Final

import yaml

from app.cli.tenant.errors import Unusable
from app.cli.tenant.requirements.common import secret_of
from app.cli.tenant.tenant import Application, Role, TenantSetup

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = "AUTH0_M2M_PRIVATE_BASE64_KEY"
SECRET: Final = "AUTH0_LFX_PROFILE_CLIENT_SECRET"  # noqa: S105 - the name of a variable
_NAME: Final = "lfx-v2-auth-service"
_HIDDEN: Final = "a secret, printed with --show-secrets only"


async def variables(tenant: TenantSetup, *, secrets: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables, and those that are secret: empty where they are not asked for.

    Raises Unusable when one is not known, TenantError.
    """
    found = await _applications(tenant)
    wanted = tenant.wanted
    if secrets and wanted.key is None:
        raise Unusable(f"set {KEY}: the tenant does not know it, so it cannot be printed; --show-secrets prints all")
    default = f"https://{tenant.admin.host}/api/v2/"
    plain = {
        "USER_REPOSITORY_TYPE": "auth0",
        "AUTH0_DOMAIN": tenant.admin.host,
        "AUTH0_AUDIENCE": wanted.audience,
        "AUTH0_MANAGEMENT_AUDIENCE": wanted.audience if wanted.audience != default else "",
        "AUTH0_ORGANIZATION": wanted.settings.organization,
        "AUTH0_M2M_CLIENT_ID": found[Role.SERVICE].client_id,
        "AUTH0_LFX_PROFILE_CLIENT_ID": found[Role.PROFILE].client_id,
        "AUTH0_LFX_ONE_CLIENT_ID": found[Role.LFX_ONE].client_id,
        "AUTH0_LFX_V2_API_AUDIENCE": wanted.impersonation,
        "AUTH0_IMPERSONATION_REQUIRE_CLAIM": "" if wanted.settings.impersonation_require_claim else "false",
        "AUTH0_IMPERSONATION_AUDIENCES": ",".join(wanted.settings.impersonation_audiences),
        "AUTH0_EVENTS": "true" if wanted.events else "",
    }
    hidden = {KEY: "", SECRET: ""}
    if secrets and wanted.key is not None:
        hidden = {
            KEY: base64.b64encode(wanted.key.pem.encode()).decode(),
            SECRET: await secret_of(tenant, found[Role.PROFILE]),
        }
    odd = [name for name, value in (plain | hidden).items() if not value.isprintable()]
    if odd:
        raise Unusable(f"there are characters that cannot be printed in {' and in '.join(odd)}")
    return {name: value for name, value in plain.items() if value}, hidden


async def _applications(tenant: TenantSetup) -> dict[Role, Application]:
    found = {role: await tenant.application(role) for role in (Role.SERVICE, Role.PROFILE, Role.LFX_ONE)}
    unknown = [one.role.variable for one in found.values() if one.given and not one.client_id]
    if unknown:
        raise Unusable(f"no application has the id in {' or in '.join(unknown)}")
    lacking = [role.title for role, application in found.items() if not application.client_id]
    if lacking:
        raise Unusable(f"there is no application {' and no '.join(lacking)} yet: auth-service tenant apply")
    return found


def as_env(plain: dict[str, str], hidden: dict[str, str]) -> str:
    """Return lines for a shell, or a file of variables."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in plain.items()]
    return "\n".join([*lines, *(f"{n}={shlex.quote(v)}" if v else f"# {n}: {_HIDDEN}" for n, v in hidden.items())])


def as_values(plain: dict[str, str], hidden: dict[str, str]) -> str:
    """Return values for the chart; the secrets come from a Secret, whose name stands here."""
    environment = {name: {"value": value} for name, value in plain.items()}
    environment |= {name: {"value": value} for name, value in hidden.items() if value}
    secret = {} if any(hidden.values()) else {"existingSecret": {"name": _NAME}}
    return yaml.safe_dump({"app": {**secret, "environment": environment}}, sort_keys=False).rstrip()


def as_secret(_: dict[str, str], hidden: dict[str, str]) -> str:
    """Return a Secret for Kubernetes, with the names under which the chart looks.

    Without values there is no manifest: what took their place would be applied as if it were a secret.
    """
    if not any(hidden.values()):
        return "\n".join([f"# The Secret {_NAME} holds:", *(f"# {name}: {_HIDDEN}" for name in hidden)])
    metadata = {"name": _NAME}
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": hidden}
    return yaml.safe_dump(manifest, sort_keys=False).rstrip()


FORMS: Final[dict[str, Callable[[dict[str, str], dict[str, str]], str]]] = {
    "env": as_env,
    "values": as_values,
    "secret": as_secret,
}
