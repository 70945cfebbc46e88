# SPDX-License-Identifier: MIT
"""Applications ("clients") with their credentials."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.stand_ins.auth0.resources.base import (
    Record,
    Records,
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

_EVERYBODY: Final = frozenset(("client_id", "app_type", "name", "description"))
"""What any token sees of a client."""
_KEYS: Final = frozenset(("encryption_key", "client_secret", "client_authentication_methods", "signing_keys"))
"""What only `read:client_keys` or `read:client_credentials` sees."""

_ALLOWED: Final = frozenset(
    [
        "name",
        "description",
        "logo_uri",
        "callbacks",
        "allowed_origins",
        "web_origins",
        "allowed_clients",
        "allowed_logout_urls",
        "grant_types",
        "token_endpoint_auth_method",
        "app_type",
        "is_first_party",
        "oidc_conformant",
        "jwt_configuration",
        "client_metadata",
        "initiate_login_uri",
        "refresh_token",
        "organization_usage",
        "organization_require_behavior",
        "client_authentication_methods",
        "token_exchange",
        "is_token_endpoint_ip_header_trusted",
        "token_quota",
        "sso_disabled",
        "cross_origin_authentication",
    ]
)
_BY_TYPE: Final = {
    "non_interactive": ["client_credentials"],
    "regular_web": ["authorization_code", "implicit", "refresh_token", "client_credentials"],
}
_MOST_CREDENTIALS: Final = 2
_KID: Final = re.compile(r"[0-9a-zA-Z_-]{10,64}")


class Applications(Records):
    """Handlers; each takes a call and returns a reply or raises Refusal."""

    def __init__(self, authorize: Callable[..., Record], stamp: Callable[[], str]) -> None:
        super().__init__(authorize, stamp)
        self.credentials: dict[str, dict[str, Record]] = {}
        """By client and id, each with its `pem`, which nobody is shown."""

    def add(self, client_id: str, **fields: Any) -> Record:
        """Add a client as Auth0 makes one; `fields` take the place of its defaults."""
        app_type = fields.get("app_type")
        made = {
            "tenant": "stand-in",
            "global": False,
            "is_token_endpoint_ip_header_trusted": False,
            "is_first_party": True,
            "oidc_conformant": False,
            "sso_disabled": False,
            "cross_origin_auth": False,
            "cross_origin_authentication": False,
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(48),
            "grant_types": list(_BY_TYPE.get(str(app_type), ["authorization_code", "implicit", "refresh_token"])),
            "jwt_configuration": {"alg": "HS256", "lifetime_in_seconds": 36_000, "secret_encoded": False},
            "callback_url_template": False,
            "custom_login_page_on": True,
            "signing_keys": [{"cert": "…", "pkcs7": "…", "subject": "/CN=stand-in"}],
            "created_at": self.stamp(),
            "updated_at": self.stamp(),
            **fields,
        }
        if "token_endpoint_auth_method" not in made and "client_authentication_methods" not in made:
            made["token_endpoint_auth_method"] = "client_secret_post"
        self.by_id[client_id] = made
        self.credentials.setdefault(client_id, {})
        return made

    def list(self, call: Call) -> Reply:
        """GET /api/v2/clients."""
        held = self._held(call, "read:clients")
        found = [shown for client in self.by_id.values() if (shown := _shown(client, held, call))]
        if "app_type" in call.query:
            wanted = call.query["app_type"].split(",")
            ids = {client["client_id"] for client in self.by_id.values() if client.get("app_type") in wanted}
            found = [client for client in found if client.get("client_id") in ids]
        return offset_page(call, "clients", found)

    def get(self, call: Call) -> Reply:
        """GET /api/v2/clients/{id}."""
        held = self._held(call, "read:clients")
        return json_reply(200, _shown(self.existing(call.segments[3], "client"), held, call))

    def create(self, call: Call) -> Reply:
        """POST /api/v2/clients; with new keys in it when it authenticates by them."""
        self.authorize(call, "create:clients")
        fields = fields_of(call, _ALLOWED, ["name"])
        self._check(fields, None)
        keys = _method(fields)
        if keys:
            self.authorize(call, "create:client_credentials")
        client_id = new_id(length=32)
        made = [self._credential(client_id, key, {}) for key in keys]
        if keys:
            references = [{"id": one["id"]} for one in made]
            fields["client_authentication_methods"] = {"private_key_jwt": {"credentials": references}}
        client = self.add(client_id, **{name: value for name, value in fields.items() if value is not None})
        self.credentials[client_id] = {one["id"]: one for one in made}
        return json_reply(201, client)

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/clients/{id}: metadata is merged at its first level, everything else replaced; null removes."""
        self.authorize(call, "update:clients")
        client = self.existing(call.segments[3], "client")
        fields = fields_of(call, _ALLOWED)
        self._check(fields, client)
        for one in _method(fields):
            if one.get("id") not in self.credentials[client["client_id"]]:
                raise api_refusal(400, "One or more credentials do not exist.", "invalid_body")
        if "client_metadata" in fields:
            merged = {**client.get("client_metadata", {}), **fields["client_metadata"]}
            fields["client_metadata"] = {name: value for name, value in merged.items() if value is not None}
        changed = {**client, **fields, "updated_at": self.stamp()}
        client.clear()
        client.update({name: value for name, value in changed.items() if value is not None})
        held = self._held(call, "update:clients")
        return json_reply(200, _shown(client, held, call))

    def list_credentials(self, call: Call) -> Reply:
        """GET /api/v2/clients/{id}/credentials: never with the keys themselves."""
        self.authorize(call, "read:client_credentials")
        self.existing(call.segments[3], "client")
        return json_reply(200, [_public(one) for one in self.credentials[call.segments[3]].values()])

    def create_credential(self, call: Call) -> Reply:
        """POST /api/v2/clients/{id}/credentials."""
        self.authorize(call, "create:client_credentials")
        self.existing(call.segments[3], "client")
        allowed = ("credential_type", "name", "pem", "alg", "kid", "expires_at", "parse_expiry_from_cert")
        made = self._credential(call.segments[3], fields_of(call, allowed, ["credential_type"]), None)
        return json_reply(201, _public(made))

    def delete_credential(self, call: Call) -> Reply:
        """DELETE /api/v2/clients/{id}/credentials/{id}."""
        self.authorize(call, "delete:client_credentials")
        if self.credentials.get(call.segments[3], {}).pop(call.segments[5], None) is None:
            raise api_refusal(404, "The credential does not exist.", "inexistent_credential")
        return Reply(204)

    def public_keys(self, client_id: str) -> list[rsa.RSAPublicKey]:
        """Return the keys by which a client may prove itself: those that its method names."""
        client = self.by_id.get(client_id, {})
        named = {one["id"] for one in _method(client)}
        held = self.credentials.get(client_id, {}).values()
        pems = [one["pem"].encode() for one in held if one["id"] in named]
        return [key for pem in pems if isinstance(key := serialization.load_pem_public_key(pem), rsa.RSAPublicKey)]

    def _held(self, call: Call, scope: str) -> set[str]:
        wanted = (scope, "read:client_keys", "read:client_credentials", "read:clients")
        return set(str(self.authorize(call, *wanted).get("scope", "")).split())

    def _check(self, fields: Record, client: Record | None) -> None:
        name = fields.get("name")
        if name is not None and (not isinstance(name, str) or not name or set(name) & set("<>")):
            raise invalid("String does not match pattern on property name")
        after = {**(client or {}), **fields}
        if after.get("token_endpoint_auth_method") and after.get("client_authentication_methods"):
            raise api_refusal(
                400, "Cannot specify both token_endpoint_auth_method and client_authentication_methods", "invalid_body"
            )
        for grant in fields.get("grant_types") or []:
            if not isinstance(grant, str):
                raise invalid("Expected type string on property grant_types")

    def _credential(self, client_id: str, fields: Record, known: dict[str, Record] | None) -> Record:
        """Make a credential, and keep it unless `known` is given: the client is still to be made then."""
        kept = self.credentials[client_id] if known is None else known
        pem, kid = fields.get("pem"), fields.get("kid") or new_id(length=43)
        try:
            key = serialization.load_pem_public_key(str(pem).encode())
        except ValueError:
            key = None
        if fields.get("credential_type") != "public_key" or not isinstance(key, rsa.RSAPublicKey):
            raise invalid("String does not match pattern on property pem")
        if not _KID.fullmatch(kid):
            raise invalid("String does not match pattern on property kid")
        if len(kept) >= _MOST_CREDENTIALS:
            raise api_refusal(400, "The maximum number of credentials has been reached.", "too_many_credentials")
        if any(one["kid"] == kid for one in kept.values()):
            raise taken("A credential with the same kid already exists.")
        made = {
            "id": new_id("cred_", 22),
            "name": fields.get("name") or "",
            "credential_type": "public_key",
            "kid": kid,
            "alg": fields.get("alg") or "RS256",
            "created_at": self.stamp(),
            "updated_at": self.stamp(),
            "pem": str(pem),
        }
        if known is None:
            kept[made["id"]] = made
        return made


def _method(fields: Record) -> list[Record]:
    methods = fields.get("client_authentication_methods") or {}
    return list((methods.get("private_key_jwt") or {}).get("credentials") or [])


def _public(credential: Record) -> Record:
    return {name: value for name, value in credential.items() if name != "pem"}


def _shown(client: Record, held: set[str], call: Call) -> Record:
    seen = client
    if not held & {"read:client_keys", "read:client_credentials"}:
        seen = {name: value for name, value in client.items() if name not in _KEYS}
    if not held & {"read:clients", "read:client_keys", "update:clients"}:
        seen = {name: value for name, value in client.items() if name in _EVERYBODY}
    return selected(seen, call)
