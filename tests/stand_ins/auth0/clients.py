# SPDX-License-Identifier: MIT
"""The applications registered with the tenant, and how they prove who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.keys import parsed, rsa_key, verifies
from tests.stand_ins.auth0.web import oauth_refusal

if TYPE_CHECKING:
    from tests.stand_ins.auth0.resources import Resources
    from tests.stand_ins.auth0.tokens import Tokens
    from tests.stand_ins.auth0.web import Refusal

_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST: Final = 60
_LEEWAY: Final = 5


class Clients:
    """Checks client assertions (RFC 7523) and client secrets."""

    def __init__(self, tokens: Tokens, resources: Resources) -> None:
        self._tokens = tokens
        self._resources = resources
        self.key = rsa_key("m2m-client-key")
        """The private key of the M2M application that is there from the start."""
        self.organization = ""
        self.used: set[str] = set()
        """Every `jti` seen."""

    def by_secret(self, fields: dict[str, Any], grant: str, connection: str = "") -> str:
        """Check id and secret of an application that may use that grant, with that connection; return its id."""
        client = self._resources.applications.by_id.get(str(fields.get("client_id")), {})
        by_secret = client.get("token_endpoint_auth_method") in {"client_secret_post", "client_secret_basic"}
        if not by_secret or fields.get("client_secret") != client["client_secret"]:
            raise oauth_refusal(401, "access_denied", "Unauthorized")
        if grant not in client["grant_types"]:
            raise oauth_refusal(403, "unauthorized_client", f"Grant type '{grant}' not allowed for the client.")
        if connection and not self._resources.connections.is_enabled(connection, client["client_id"]):
            raise oauth_refusal(400, "bad.connection", "The connection does not exist or is disabled for the client.")
        return str(client["client_id"])

    def by_assertion(self, fields: dict[str, Any]) -> str:
        """Return the id of the client that the assertion proves; an assertion works once."""
        token = fields.get("client_assertion")
        if fields.get("client_assertion_type") != _BEARER or not isinstance(token, str):
            raise _refused("Client authentication is required.")
        try:
            header, claims = parsed(token)
        except ValueError:
            raise _refused("The assertion is malformed.") from None
        client = claims.get("sub")
        keys = self._resources.applications.public_keys(str(client))
        if header.get("alg") != "RS256" or not any(verifies(key, token) for key in keys):
            raise _refused("The assertion's signature does not verify.")
        if claims.get("iss") != client or fields.get("client_id", client) != client:
            raise _refused("The assertion's issuer and subject must be the client.")
        self._check_times(claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not jti or jti in self.used:
            raise _refused("The assertion has been used before.")
        self.used.add(jti)
        return str(client)

    def _check_times(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        if self._tokens.issuer not in (audience if isinstance(audience, list) else [audience]):
            raise _refused("The assertion's audience is not this tenant.")
        now, expires, issued = self._tokens.now(), claims.get("exp"), claims.get("iat", claims.get("nbf"))
        if not isinstance(expires, int | float) or expires <= now - _LEEWAY:
            raise _refused("The assertion has expired.")
        lifetime = expires - (issued if isinstance(issued, int | float) else now)
        if lifetime > _LONGEST or expires > now + _LONGEST + _LEEWAY:
            raise _refused("The assertion lives too long.")


def _refused(description: str) -> Refusal:
    return oauth_refusal(401, "invalid_client", description)
