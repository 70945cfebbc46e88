# SPDX-License-Identifier: MIT
"""What an administrator sets up in a tenant, and the Management API's endpoints for it.

Operations, as faults and records name them: `clients.*` and `credentials.*`, `grants.*`, `connections.*`, `apis.*`,
`actions.*`, `exchanges.*`, each with `list`, `get`, `create`, `update`; `actions.deploy`, `actions.triggers`,
`connections.clients`, `connections.enable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.resources.actions import EXCHANGE, Actions, Exchanges
from tests.stand_ins.auth0.resources.apis import MANAGEMENT_SCOPES, Apis
from tests.stand_ins.auth0.resources.applications import Applications
from tests.stand_ins.auth0.resources.connections import Connections
from tests.stand_ins.auth0.resources.grants import Grants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand_ins.auth0.tokens import Tokens
    from tests.stand_ins.auth0.web import Call, Reply

ADMIN_CLIENT: Final = "admin-client"
ADMIN_SECRET: Final = "admin-client-secret-of-the-stand-in"

_ID: Final = "*"
_PATHS: Final = {
    ("clients",): {"GET": "clients.list", "POST": "clients.create"},
    ("clients", _ID): {"GET": "clients.get", "PATCH": "clients.update"},
    ("clients", _ID, "credentials"): {"GET": "credentials.list", "POST": "credentials.create"},
    ("clients", _ID, "credentials", _ID): {"DELETE": "credentials.delete"},
    ("client-grants",): {"GET": "grants.list", "POST": "grants.create"},
    ("client-grants", _ID): {"PATCH": "grants.update"},
    ("connections",): {"GET": "connections.list", "POST": "connections.create"},
    ("connections", _ID): {"GET": "connections.get", "PATCH": "connections.update"},
    ("connections", _ID, "clients"): {"GET": "connections.clients", "PATCH": "connections.enable"},
    ("resource-servers",): {"GET": "apis.list", "POST": "apis.create"},
    ("resource-servers", _ID): {"GET": "apis.get", "PATCH": "apis.update"},
    ("actions", "triggers"): {"GET": "actions.triggers"},
    ("actions", "actions"): {"GET": "actions.list", "POST": "actions.create"},
    ("actions", "actions", _ID): {"GET": "actions.get", "PATCH": "actions.update"},
    ("actions", "actions", _ID, "deploy"): {"POST": "actions.deploy"},
    ("token-exchange-profiles",): {"GET": "exchanges.list", "POST": "exchanges.create"},
    ("token-exchange-profiles", _ID): {"PATCH": "exchanges.update", "DELETE": "exchanges.delete"},
}


def operation_of(call: Call) -> str:
    """Return the name of what a call of the Management API asks for; empty when it is none of these."""
    given = call.segments[2:]
    for path, operations in _PATHS.items():
        if len(path) == len(given) and all(want in (_ID, is_) for want, is_ in zip(path, given, strict=True)):
            return operations.get(call.method, "")
    return ""


class Resources:
    """All of them."""

    def __init__(self, tokens: Tokens, stamp: Callable[[], str]) -> None:
        self.applications = Applications(tokens.authorize, stamp)
        self.apis = Apis(tokens.authorize, stamp)
        self.grants = Grants(tokens.authorize, stamp, self.applications, self.apis)
        self.connections = Connections(tokens.authorize, stamp, self.applications)
        self.actions = Actions(tokens.authorize, stamp)
        self.exchanges = Exchanges(tokens.authorize, stamp, self.actions)
        self._management = self.apis.add_management(tokens.management_audience)
        self._add_admin()

    def _add_admin(self) -> None:
        """Add what every tenant has once its API was explored: an application that may do everything."""
        self.applications.add(
            ADMIN_CLIENT, name="API Explorer Application", app_type="non_interactive", client_secret=ADMIN_SECRET
        )
        self.grants.add(ADMIN_CLIENT, self.management_audience, list(MANAGEMENT_SCOPES))

    @property
    def management_audience(self) -> str:
        """The identifier of the Management API."""
        return str(self._management["identifier"])

    def serve_at(self, management_audience: str) -> None:
        """Take the identifier of the Management API, once the tenant's name is known."""
        for grant in self.grants.by_id.values():
            if grant["audience"] == self.management_audience:
                grant["audience"] = management_audience
        self._management["identifier"] = management_audience

    def routes(self) -> dict[str, Callable[[Call], Reply]]:
        """Return what answers each operation."""
        kinds: dict[str, Any] = {
            "clients": self.applications,
            "grants": self.grants,
            "connections": self.connections,
            "apis": self.apis,
            "actions": self.actions,
            "exchanges": self.exchanges,
        }
        return {
            **{
                f"{name}.{verb}": getattr(kind, verb)
                for name, kind in kinds.items()
                for verb in ("list", "get", "create", "update", "deploy", "triggers", "delete")
                if hasattr(kind, verb)
            },
            "credentials.list": self.applications.list_credentials,
            "credentials.create": self.applications.create_credential,
            "credentials.delete": self.applications.delete_credential,
            "connections.clients": self.connections.list_clients,
            "connections.enable": self.connections.update_clients,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return everything that stands in the tenant, for comparing."""
        return {
            "clients": self.applications.by_id,
            "credentials": self.applications.credentials,
            "grants": self.grants.by_id,
            "connections": self.connections.by_id,
            "enabled": self.connections.clients_of,
            "apis": self.apis.by_id,
            "actions": self.actions.by_id,
            "deployed": self.actions.deployed,
            "exchanges": self.exchanges.by_id,
        }


__all__ = ["ADMIN_CLIENT", "ADMIN_SECRET", "EXCHANGE", "MANAGEMENT_SCOPES", "Resources", "operation_of"]
