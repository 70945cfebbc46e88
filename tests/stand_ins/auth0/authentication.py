# SPDX-License-Identifier: MIT
"""What needs no token: codes by mail, reset links, the key set."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stand_ins.auth0.accounts import DATABASE, new_identity_id
from tests.stand_ins.auth0.people import profile
from tests.stand_ins.auth0.records import Mail, Records
from tests.stand_ins.auth0.tokens import Tokens
from tests.stand_ins.auth0.web import Call, Reply, json_reply, oauth_refusal

if TYPE_CHECKING:
    from tests.stand_ins.auth0.accounts import Account, Accounts
    from tests.stand_ins.auth0.clients import Clients
    from tests.stand_ins.auth0.resources import Resources

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_OTP = "http://auth0.com/oauth/grant-type/passwordless/otp"
_LIFETIME = 180
_GUESSES = 3
_WRONG = "Wrong email or verification code."


@dataclass(slots=True)
class _Code:
    code: str
    expires: float
    guesses: int = 0


class Codes:
    """One-time codes: three minutes, three guesses, one use."""

    def __init__(self, accounts: Accounts, tokens: Tokens, records: Records) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._records = records
        self._codes: dict[str, _Code] = {}

    def send(self, address: str, *, shown: bool = True) -> None:
        """Make a code and mail it; a mail that does not show it has a link only."""
        code = f"{secrets.randbelow(10**6):06}"
        if not shown:
            self._records.mail(Mail(address, "link", link=f"{self._tokens.issuer}passwordless/verify_redirect"))
            return
        self._codes[address] = _Code(code, self._tokens.now() + _LIFETIME)
        self._records.mail(Mail(address, "code", code=code))

    def redeem(self, address: str, given: str) -> Account:
        """Return the user who signs in; Refusal when the code is wrong."""
        code = self._codes.get(address)
        if code is None or code.expires <= self._tokens.now():
            raise oauth_refusal(403, "invalid_grant", "The verification code has expired. Please try to login again.")
        code.guesses += 1
        if code.guesses > _GUESSES:
            text = "You've reached the maximum number of attempts. Please try to login again."
            raise oauth_refusal(403, "invalid_grant", text)
        if not hmac.compare_digest(code.code.encode(), given.encode()):
            raise oauth_refusal(403, "invalid_grant", _WRONG)
        del self._codes[address]
        known = self._accounts.with_email_identity(address)
        return known or self._accounts.add(profile(f"email|{new_identity_id()}", email=address))


class Authentication:
    """Handlers."""

    def __init__(  # noqa: PLR0913, PLR0917 - it does three things
        self,
        accounts: Accounts,
        tokens: Tokens,
        clients: Clients,
        codes: Codes,
        records: Records,
        resources: Resources,
    ) -> None:
        self._accounts = accounts
        self._resources = resources
        self._tokens = tokens
        self._clients = clients
        self._codes = codes
        self._records = records

    def start(self, call: Call) -> Reply:
        """POST /passwordless/start: a code by mail."""
        fields = call.fields()
        self._clients.by_secret(fields, _OTP, "email")
        if fields.get("connection") != "email" or fields.get("send") != "code":
            raise oauth_refusal(400, "bad.connection", "Public signup is disabled or the connection does not exist.")
        address = fields.get("email")
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise oauth_refusal(400, "bad.email", "error in email - email format validation failed")
        self._codes.send(address.lower(), shown=self._resources.connections.shows_codes())
        return json_reply(200, {"_id": new_identity_id(), "email": address.lower(), "email_verified": False})

    def change_password(self, call: Call) -> Reply:
        """POST /dbconnections/change_password: says the same whether there is such a user or not."""
        fields = call.fields()
        client_id = fields.get("client_id")
        if client_id not in self._resources.applications.by_id:
            raise oauth_refusal(400, "invalid_request", "Unknown client")
        if not self._resources.connections.is_enabled(DATABASE, client_id):
            raise oauth_refusal(400, "invalid_request", "connection is disabled for the client")
        if fields.get("connection") != DATABASE:
            raise oauth_refusal(400, "invalid_request", "connection is required")
        email = str(fields.get("email", "")).lower()
        if any(account.user_id.startswith("auth0|") for account in self._accounts.with_email(email)):
            link = f"https://{self._tokens.domain}/u/reset-verify?ticket={secrets.token_urlsafe(24)}"
            self._records.mail(Mail(email, "reset", link=link))
        return Reply(200, b"We've just sent you an email to reset your password.", "text/html; charset=utf-8")

    def jwks(self, _: Call) -> Reply:
        """GET /.well-known/jwks.json (RFC 7517)."""
        return json_reply(200, self._tokens.keys.document(), **{"Cache-Control": "public, max-age=15"})

    def configuration(self, _: Call) -> Reply:
        """GET /.well-known/openid-configuration."""
        issuer = self._tokens.issuer
        content = {
            "issuer": issuer,
            "jwks_uri": f"{issuer}.well-known/jwks.json",
            "token_endpoint": f"{issuer}oauth/token",
        }
        return json_reply(200, content)
