# SPDX-License-Identifier: MIT
"""The applications registered with the tenant, and how they prove who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.keys import parsed, rsa_key
from tests.stand_ins.auth0.tokens import M2M_CLIENT
from tests.stand_ins.auth0.web import oauth_refusal

if TYPE_CHECKING:
    from tests.stand_ins.auth0.tokens import Tokens
    from tests.stand_ins.auth0.web import Refusal

PROFILE_SECRET: Final = "profile-client-secret-of-the-stand-in"
_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST: Final = 60
_LEEWAY: Final = 5


class Clients:
    """Checks client assertions (RFC 7523) and client secrets."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.key = rsa_key("m2m-client-key")
        """The private key whose public half is registered for the M2M application."""
        self.organization = ""
        self.used: set[str] = set()
        """Every `jti` seen."""

    def by_secret(self, fields: dict[str, Any], client_id: str) -> None:
        """Check id and secret of the profile application."""
        if fields.get("client_id") != client_id or fields.get("client_secret") != PROFILE_SECRET:
            raise oauth_refusal(401, "access_denied", "Unauthorized")

    def by_assertion(self, fields: dict[str, Any]) -> str:
        """Return the id of the client that the assertion proves; an assertion works once."""
        token = fields.get("client_assertion")
        if fields.get("client_assertion_type") != _BEARER or not isinstance(token, str):
            raise _refused("Client authentication is required.")
        try:
            header, claims = parsed(token)
        except ValueError:
            raise _refused("The assertion is malformed.") from None
        if header.get("alg") != "RS256" or not self.key.signed(token):
            raise _refused("The assertion's signature does not verify.")
        client = claims.get("sub")
        if client != M2M_CLIENT or claims.get("iss") != client or fields.get("client_id", client) != client:
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
