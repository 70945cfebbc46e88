# SPDX-License-Identifier: MIT
"""APIs ("resource servers"), the Management API among them."""

from __future__ import annotations

from typing import Any, Final

from tests.stand_ins.auth0.resources.base import Record, Records, fields_of, invalid, new_id, offset_page, taken
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

_RESOURCES: Final = ("clients", "client_keys", "client_credentials", "client_grants", "connections")
_FURTHER: Final = ("resource_servers", "actions", "token_exchange_profiles", "users")
MANAGEMENT_SCOPES: Final = (
    *(f"{verb}:{what}" for what in (*_RESOURCES, *_FURTHER) for verb in ("read", "create", "update", "delete")),
    *("read:events", "read:stats", "read:logs", "read:current_user"),
    *("update:current_user_metadata", "update:current_user_identities"),
)
"""Of the Management API; the real one has some two hundred."""

_ALLOWED: Final = frozenset(
    [
        "name",
        "scopes",
        "signing_alg",
        "allow_offline_access",
        "token_lifetime",
        "token_lifetime_for_web",
        "token_dialect",
        "enforce_policies",
        "skip_consent_for_verifiable_first_party_clients",
        "subject_type_authorization",
    ]
)


class Apis(Records):
    """Handlers."""

    def add(self, identifier: str, name: str, **fields: Any) -> Record:
        """Add an API as Auth0 makes one."""
        made = {
            "id": new_id(length=24),
            "name": name,
            "identifier": identifier,
            "allow_offline_access": False,
            "skip_consent_for_verifiable_first_party_clients": True,
            "token_lifetime": 86_400,
            "token_lifetime_for_web": 7_200,
            "signing_alg": "RS256",
            "signing_secret": new_id(length=32),
            "enforce_policies": False,
            "token_dialect": "access_token",
            "scopes": [],
            "subject_type_authorization": {
                "user": {"policy": "allow_all"},
                "client": {"policy": "require_client_grant"},
            },
            **fields,
        }
        self.by_id[made["id"]] = made
        return made

    def add_management(self, identifier: str) -> Record:
        """Add the Management API, which every tenant has."""
        scopes = [{"value": scope, "description": scope} for scope in MANAGEMENT_SCOPES]
        user = {"user": {"policy": "require_client_grant"}, "client": {"policy": "require_client_grant"}}
        return self.add(
            identifier, "Auth0 Management API", is_system=True, scopes=scopes, subject_type_authorization=user
        )

    def with_identifier(self, identifier: str) -> Record | None:
        """Return the API with that identifier."""
        return next((one for one in self.by_id.values() if one["identifier"] == identifier), None)

    def list(self, call: Call) -> Reply:
        """GET /api/v2/resource-servers."""
        self.authorize(call, "read:resource_servers")
        found = list(self.by_id.values())
        if "identifiers" in call.query:
            found = [one for one in found if one["identifier"] == call.query["identifiers"]]
        return offset_page(call, "resource_servers", found)

    def get(self, call: Call) -> Reply:
        """GET /api/v2/resource-servers/{id or identifier}."""
        self.authorize(call, "read:resource_servers")
        return json_reply(200, self._named(call))

    def create(self, call: Call) -> Reply:
        """POST /api/v2/resource-servers."""
        self.authorize(call, "create:resource_servers")
        fields = fields_of(call, _ALLOWED | {"identifier"}, ["identifier"])
        identifier = fields.pop("identifier")
        if not isinstance(identifier, str) or not identifier:
            raise invalid("Expected type string on property identifier")
        if self.with_identifier(identifier):
            raise taken(f"A resource server with the identifier {identifier!r} already exists.")
        return json_reply(201, self.add(identifier, str(fields.pop("name", "") or identifier), **fields))

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/resource-servers/{id or identifier}: of a system API only who may ask for tokens."""
        self.authorize(call, "update:resource_servers")
        api = self._named(call)
        fields = fields_of(call, _ALLOWED)
        if api.get("is_system") and set(fields) - {"subject_type_authorization", "token_lifetime"}:
            raise api_refusal(400, "System APIs cannot be modified.", "operation_not_supported")
        if "subject_type_authorization" in fields:
            fields["subject_type_authorization"] = {
                **api["subject_type_authorization"],
                **fields["subject_type_authorization"],
            }
        api.update(fields)
        return json_reply(200, api)

    def _named(self, call: Call) -> Record:
        by_identifier = self.with_identifier(call.segments[3])
        return by_identifier or self.existing(call.segments[3], "resource server")
