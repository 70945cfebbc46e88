# SPDX-License-Identifier: MIT
"""Connections, and for which applications each is enabled."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.resources.base import (
    Record,
    Records,
    checkpoint_page,
    fields_of,
    invalid,
    new_id,
    offset_page,
    selected,
    taken,
)
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand_ins.auth0.resources.applications import Applications

_CHANGES: Final = ("display_name", "options", "enabled_clients", "is_domain_connection", "show_as_button", "realms")
_MOST: Final = 50
_CODE: Final = re.compile(r"(?:\{\{-?|@@|<%=)\s*code\b")


class Connections(Records):
    """Handlers."""

    def __init__(self, authorize: Callable[..., Record], stamp: Callable[[], str], clients: Applications) -> None:
        super().__init__(authorize, stamp)
        self._clients = clients
        self.clients_of: dict[str, dict[str, None]] = {}
        """Connection → the clients for which it is enabled, in the order in which that was done."""

    def add(self, name: str, strategy: str, *, options: Record | None = None, **fields: Any) -> Record:
        """Add a connection as Auth0 makes one."""
        made = {
            "id": new_id("con_"),
            "name": name,
            "strategy": strategy,
            "options": {**_defaults(name, strategy), **(options or {})},
            "realms": [name],
            "is_domain_connection": False,
            "show_as_button": False,
            "metadata": {},
            **fields,
        }
        self.by_id[made["id"]] = made
        self.clients_of[made["id"]] = {}
        return made

    def named(self, name: str) -> Record | None:
        """Return the connection of that name."""
        return next((one for one in self.by_id.values() if one["name"] == name), None)

    def enable(self, name: str, *client_ids: str) -> None:
        """Enable a connection for clients."""
        found = self.named(name)
        if found is not None:
            self.clients_of[found["id"]].update(dict.fromkeys(client_ids))

    def is_enabled(self, name: str, client_id: object) -> bool:
        """Whether there is a connection of that name, enabled for that client."""
        found = self.named(name)
        return found is not None and client_id in self.clients_of[found["id"]]

    def shows_codes(self) -> bool:
        """Whether the mail of the connection `email` shows the code."""
        options = (self.named("email") or {}).get("options", {})
        body = options.get("email", {}).get("body")
        return body is None or _CODE.search(str(body)) is not None

    def list(self, call: Call) -> Reply:
        """GET /api/v2/connections, by name or strategy."""
        self.authorize(call, "read:connections")
        wanted = {name: call.query[name] for name in ("name", "strategy") if name in call.query}
        found = [one for one in self.by_id.values() if all(one[name] == value for name, value in wanted.items())]
        shown = [selected(one, call) for one in found]
        return (offset_page if "page" in call.query else checkpoint_page)(call, "connections", shown)

    def get(self, call: Call) -> Reply:
        """GET /api/v2/connections/{id}."""
        self.authorize(call, "read:connections")
        return json_reply(200, selected(self._shown(self.existing(call.segments[3], "connection")), call))

    def create(self, call: Call) -> Reply:
        """POST /api/v2/connections."""
        self.authorize(call, "create:connections")
        fields = fields_of(call, (*_CHANGES, "metadata", "name", "strategy"), ["name", "strategy"])
        name, strategy = fields.pop("name"), fields.pop("strategy")
        if self.named(name):
            raise taken("A connection with the same name already exists")
        if strategy == "email" and not {"name", "email", "brute_force_protection"} <= set(fields.get("options") or {}):
            raise invalid("Missing required property on property options")
        enabled = self._known(fields.pop("enabled_clients", []))
        made = self.add(name, strategy, **fields)
        self.clients_of[made["id"]].update(dict.fromkeys(enabled))
        return json_reply(201, self._shown(made))

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/connections/{id}: `options` are replaced as a whole, as in Auth0."""
        self.authorize(call, "update:connections")
        connection = self.existing(call.segments[3], "connection")
        fields = fields_of(call, (*_CHANGES, "metadata"))
        if "enabled_clients" in fields:
            enabled = self._known(fields.pop("enabled_clients"))
            self.clients_of[connection["id"]] = dict.fromkeys(enabled)
        connection.update(fields)
        return json_reply(200, self._shown(connection))

    def list_clients(self, call: Call) -> Reply:
        """GET /api/v2/connections/{id}/clients."""
        self.authorize(call, "read:connections")
        self.existing(call.segments[3], "connection")
        found = [{"client_id": client_id} for client_id in self.clients_of[call.segments[3]]]
        return checkpoint_page(call, "clients", found)

    def update_clients(self, call: Call) -> Reply:
        """PATCH /api/v2/connections/{id}/clients: a list of who gets it and who loses it, fifty at most."""
        self.authorize(call, "update:connections")
        self.existing(call.segments[3], "connection")
        try:
            changes = json.loads(call.body or b"null")
        except ValueError:
            changes = None
        if not isinstance(changes, list) or not 0 < len(changes) <= _MOST:
            raise invalid("Expected type array")
        enabled = self.clients_of[call.segments[3]]
        for change in changes:
            self._known([change.get("client_id")])
            if change.get("status") is True:
                enabled[change["client_id"]] = None
            else:
                enabled.pop(change["client_id"], None)
        return Reply(204)

    def _known(self, client_ids: list[Any]) -> list[Any]:
        for one in client_ids:
            if one not in self._clients.by_id:
                raise api_refusal(400, f"The client {one} does not exist.", "inexistent_client")
        return client_ids

    def _shown(self, connection: Record) -> Record:
        return {**connection, "enabled_clients": list(self.clients_of[connection["id"]])}


def _defaults(name: str, strategy: str) -> Record:
    if strategy == "email":
        return {"name": name, "disable_signup": False, "brute_force_protection": False}
    if strategy == "auth0":
        return {"passwordPolicy": "good", "brute_force_protection": True, "mfa": {"active": True}, "import_mode": False}
    return {"scope": ["email", "profile"], "client_id": "", "client_secret": ""}
