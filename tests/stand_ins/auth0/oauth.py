# SPDX-License-Identifier: MIT
"""The token endpoint: POST /oauth/token with every grant that is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0.passwords import hashed
from tests.stand_ins.auth0.tokens import CAN_IMPERSONATE
from tests.stand_ins.auth0.web import Call, Reply, json_reply, oauth_refusal

if TYPE_CHECKING:
    from tests.stand_ins.auth0.accounts import Account, Accounts
    from tests.stand_ins.auth0.authentication import Codes
    from tests.stand_ins.auth0.clients import Clients
    from tests.stand_ins.auth0.resources import Resources
    from tests.stand_ins.auth0.tokens import Tokens

GRANTS: Final = {
    "client_credentials": "token.client_credentials",
    "http://auth0.com/oauth/grant-type/passwordless/otp": "token.otp",
    "http://auth0.com/oauth/grant-type/password-realm": "token.password",
    "urn:ietf:params:oauth:grant-type:token-exchange": "token.exchange",
}
_OTP, _PASSWORD, _EXCHANGE = list(GRANTS)[1:]
_MOST_FAILURES = 10


class TokenEndpoint:
    """Handlers, one a grant."""

    def __init__(
        self, accounts: Accounts, tokens: Tokens, clients: Clients, codes: Codes, resources: Resources
    ) -> None:
        self._accounts = accounts
        self._resources = resources
        self._tokens = tokens
        self._clients = clients
        self._codes = codes

    def unsupported(self, call: Call) -> Reply:
        """Any other grant (RFC 6749, section 5.2)."""
        grant = call.fields().get("grant_type")
        if grant is None:
            raise oauth_refusal(400, "invalid_request", "Missing required parameter: grant_type")
        raise oauth_refusal(403, "unsupported_grant_type", f"Unsupported grant type: {grant}")

    def client_credentials(self, call: Call) -> Reply:
        """The M2M token, for a client that proves itself by an assertion, or by its secret."""
        fields = call.fields()
        grant = "client_credentials"
        by_secret = "client_secret" in fields and "client_assertion" not in fields
        client = self._clients.by_secret(fields, grant) if by_secret else self._clients.by_assertion(fields)
        audience = str(fields.get("audience"))
        if self._resources.apis.with_identifier(audience) is None:
            raise oauth_refusal(403, "access_denied", f"Service not found: {audience}")
        granted = self._resources.grants.scopes(client, audience)
        if granted is None:
            text = f"Client is not authorized to access {audience!r}."
            raise oauth_refusal(403, "access_denied", text)
        organization = self._clients.organization
        if organization and fields.get("organization") != organization:
            raise oauth_refusal(403, "access_denied", "The client is not allowed to use this organization.")
        scopes = granted if self._tokens.m2m_scopes is None else self._tokens.m2m_scopes
        token = self._tokens.m2m(client, audience, scopes, organization)
        return _granted(token, " ".join(scopes), self._tokens.m2m_lifetime)

    def otp(self, call: Call) -> Reply:
        """An ID token for a one-time code; the first time, the user of the connection `email` comes to be."""
        fields = call.fields()
        client = self._clients.by_secret(fields, _OTP, "email")
        if fields.get("realm") != "email":
            raise oauth_refusal(403, "invalid_grant", "Unknown or invalid realm.")
        address = str(fields.get("username", "")).lower()
        account = self._codes.redeem(address, str(fields.get("otp", "")))
        # A linked address signs in to the account that it is linked to: `sub` is that account's.
        shown = ("name", "nickname", "picture", "email", "email_verified")
        claims: dict[str, Any] = {key: account.profile.get(key) for key in shown}
        scope = str(fields.get("scope", "openid"))
        identity = self._tokens.id(account.user_id, **{**claims, "aud": client})
        return _granted(self._opaque(account), scope, 86_400, id_token=identity)

    def password(self, call: Call) -> Reply:
        """Tokens for a username or an address with its password; ten failures block the account."""
        fields = call.fields()
        client = self._clients.by_secret(fields, _PASSWORD, "Username-Password-Authentication")
        if fields.get("realm") != "Username-Password-Authentication":
            raise oauth_refusal(403, "invalid_grant", "Unknown or invalid realm.")
        account = self._by_login(str(fields.get("username", "")))
        if account is not None and account.failures >= _MOST_FAILURES:
            text = "Your account has been blocked after multiple consecutive login attempts."
            raise oauth_refusal(429, "too_many_attempts", text)
        given = fields.get("password")
        if account is None or not isinstance(given, str) or account.password != hashed(given):
            if account is not None:
                account.failures += 1
            raise oauth_refusal(403, "invalid_grant", "Wrong email or password.")
        account.failures = 0
        scope = str(fields.get("scope", "openid profile email"))
        return _granted(self._opaque(account), scope, 86_400, id_token=self._tokens.id(account.user_id, aud=client))

    def exchange(self, call: Call) -> Reply:
        """Impersonation (RFC 8693), form-encoded, decided by the tenant's Action."""
        if not call.is_form:
            raise oauth_refusal(400, "invalid_request", "Token exchange requests must be form-encoded.")
        fields = call.fields()
        client = self._clients.by_assertion(fields)
        secrets = self._action_for(client, fields)
        audience = fields["audience"]
        try:
            claims = self._tokens.verified(str(fields.get("subject_token", "")), secrets["API_AUDIENCE"])
        except ValueError:
            raise oauth_refusal(400, "invalid_request", "Invalid subject token.") from None
        if claims.get(CAN_IMPERSONATE) is not True:
            raise oauth_refusal(403, "access_denied", "You may not act as another user.")
        target = self._by_login(str(fields.get("target_user", "")))
        if target is None:
            raise oauth_refusal(400, "invalid_request", "The target user is unknown.")
        acting = {"sub": claims.get("sub")}
        token = self._tokens.access(target.user_id, ["access:api"], aud=audience, azp=client, act=acting)
        issued = "urn:ietf:params:oauth:token-type:access_token"
        return _granted(token, "access:api", 3600, issued_token_type=issued)

    def _action_for(self, client: str, fields: dict[str, Any]) -> dict[str, str]:
        """Return the secrets of the Action that decides; Refusal when there is none, or it refuses the client."""
        resources = self._resources
        if resources.apis.with_identifier(str(fields.get("audience"))) is None:
            raise oauth_refusal(400, "invalid_request", "Unknown audience.")
        profile = resources.exchanges.of_type(fields.get("subject_token_type"))
        if profile is None:
            raise oauth_refusal(400, "invalid_request", "Unknown subject_token_type.")
        allowed = resources.applications.by_id[client].get("token_exchange", {}).get("allow_any_profile_of_type", [])
        if profile["type"] not in allowed:
            raise oauth_refusal(403, "unauthorized_client", f"Grant type '{_EXCHANGE}' not allowed for the client.")
        secrets = resources.actions.secrets_of(profile["action_id"])
        if secrets is None:
            raise oauth_refusal(400, "invalid_request", "The action is not deployed.")
        if secrets["SERVICE_CLIENT_ID"] != client:
            raise oauth_refusal(403, "access_denied", "This application may not act for users.")
        more = secrets.get("MORE_AUDIENCES", "").split(",")
        if fields["audience"] not in {secrets["API_AUDIENCE"], *(name.strip() for name in more)}:
            raise oauth_refusal(400, "invalid_request", "Tokens for this API are not given out by impersonation.")
        # It finds the target with a token of an application of its own.
        proof = {"client_id": secrets["LOOKUP_CLIENT_ID"], "client_secret": secrets["LOOKUP_CLIENT_SECRET"]}
        lookup = self._clients.by_secret(proof, "client_credentials")
        if "read:users" not in (resources.grants.scopes(lookup, resources.management_audience) or []):
            raise oauth_refusal(500, "server_error", "The action failed.")
        return secrets

    def _by_login(self, name: str) -> Account | None:
        for account in [*self._accounts.with_email(name.lower()), *self._by_username(name)]:
            if account.user_id.startswith("auth0|"):
                return account
        return None

    def _by_username(self, name: str) -> list[Account]:
        found = self._accounts.by_username.get(name)
        return [] if found is None else [self._accounts.by_id[found]]

    def _opaque(self, account: Account) -> str:
        return self._tokens.access(
            account.user_id, ["openid", "profile", "email"], aud=f"{self._tokens.issuer}userinfo"
        )


def _granted(token: str, scope: str, lifetime: int, **more: Any) -> Reply:
    content = {"access_token": token, **more, "scope": scope, "expires_in": lifetime, "token_type": "Bearer"}
    return json_reply(200, content, **{"Cache-Control": "no-store"})
