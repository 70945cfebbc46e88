# SPDX-License-Identifier: MIT
"""Client grants: which scopes of an API an application has in its own name, or in the name of its users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0.resources.base import (
    Record,
    Records,
    checkpoint_page,
    fields_of,
    new_id,
    offset_page,
    taken,
)
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand_ins.auth0.resources.apis import Apis
    from tests.stand_ins.auth0.resources.applications import Applications

_FILTERS = ("audience", "client_id", "subject_type")
_CHANGES = ("scope", "organization_usage", "allow_any_organization", "allow_all_scopes")


class Grants(Records):
    """Handlers."""

    def __init__(
        self, authorize: Callable[..., Record], stamp: Callable[[], str], clients: Applications, apis: Apis
    ) -> None:
        super().__init__(authorize, stamp)
        self._clients = clients
        self._apis = apis

    def add(self, client_id: str, audience: str, scope: list[str], **fields: Any) -> Record:
        """Add a grant."""
        made = {
            "id": new_id("cgr_"),
            "client_id": client_id,
            "audience": audience,
            "scope": scope,
            "subject_type": "client",
            **fields,
        }
        self.by_id[made["id"]] = made
        return made

    def scopes(self, client_id: str, audience: str) -> list[str] | None:
        """Return the scopes that a client has in its own name; None without a grant."""
        for one in self.by_id.values():
            if (one["client_id"], one["audience"], one["subject_type"]) == (client_id, audience, "client"):
                return list(one["scope"])
        return None

    def list(self, call: Call) -> Reply:
        """GET /api/v2/client-grants."""
        self.authorize(call, "read:client_grants")
        wanted = {name: call.query[name] for name in _FILTERS if name in call.query}
        found = [one for one in self.by_id.values() if all(one.get(name) == value for name, value in wanted.items())]
        if "page" in call.query:
            return offset_page(call, "client_grants", found)
        return checkpoint_page(call, "client_grants", found)

    def create(self, call: Call) -> Reply:
        """POST /api/v2/client-grants."""
        self.authorize(call, "create:client_grants")
        fields = fields_of(call, ("client_id", "audience", "subject_type", *_CHANGES), ["client_id", "audience"])
        fields.setdefault("subject_type", "client")
        if fields["client_id"] not in self._clients.by_id:
            raise api_refusal(404, "The client does not exist.", "inexistent_client")
        self._check(fields["audience"], fields.get("scope", []))
        same = ("client_id", "audience", "subject_type")
        if any(all(one[name] == fields[name] for name in same) for one in self.by_id.values()):
            raise taken("A resource with the same client id and audience already exists.")
        return json_reply(201, self.add(fields.pop("client_id"), fields.pop("audience"), **{"scope": [], **fields}))

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/client-grants/{id}."""
        self.authorize(call, "update:client_grants")
        grant = self.existing(call.segments[3], "client grant")
        fields = fields_of(call, _CHANGES)
        self._check(grant["audience"], fields.get("scope", []))
        grant.update(fields)
        return json_reply(200, grant)

    def _check(self, audience: str, scope: list[str]) -> None:
        api = self._apis.with_identifier(audience)
        if api is None:
            raise api_refusal(404, "The resource server does not exist.", "inexistent_resource_server")
        known = {one["value"] for one in api["scopes"]}
        unknown = [one for one in scope if one not in known]
        if unknown:
            raise api_refusal(
                400, f"The following scopes are not defined: {', '.join(map(str, unknown))}", "invalid_body"
            )
