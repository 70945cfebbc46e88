# SPDX-License-Identifier: MIT
"""The tenant: all its parts, the way from a call to its reply, and what tests ask of it."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final

from tests.stand_ins.auth0 import forgery, people
from tests.stand_ins.auth0.accounts import Account, Accounts
from tests.stand_ins.auth0.authentication import Authentication, Codes
from tests.stand_ins.auth0.clients import Clients
from tests.stand_ins.auth0.events import Events
from tests.stand_ins.auth0.faults import Faults
from tests.stand_ins.auth0.identities import Identities
from tests.stand_ins.auth0.limits import Limits
from tests.stand_ins.auth0.management import Management
from tests.stand_ins.auth0.oauth import GRANTS, TokenEndpoint
from tests.stand_ins.auth0.oddities import Oddities
from tests.stand_ins.auth0.passwords import hashed
from tests.stand_ins.auth0.records import Records
from tests.stand_ins.auth0.resources import ADMIN_CLIENT, ADMIN_SECRET, MANAGEMENT_SCOPES, Resources
from tests.stand_ins.auth0.resources import operation_of as operation_on_resources
from tests.stand_ins.auth0.resources.fixtures import PROFILE_SECRET, set_up
from tests.stand_ins.auth0.tokens import (
    CAN_IMPERSONATE,
    EVENTS_SCOPE,
    INSIGHTS_AUDIENCE,
    LFX_ONE_CLIENT,
    LFX_V2_AUDIENCE,
    M2M_CLIENT,
    M2M_SCOPES,
    PROFILE_CLIENT,
    USER_SCOPES,
    Tokens,
)
from tests.stand_ins.auth0.web import Call, Refusal, Reply, api_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.stand_ins.auth0.keys import Key

UNKNOWN: Final = "unknown"
_USERS: Final = ("api", "v2", "users")
_BY_PATH: Final = {
    ("GET", "api/v2/events"): "events",
    ("GET", "api/v2/users-by-email"): "users-by-email",
    ("GET", "api/v2/users"): "users.search",
    ("POST", "api/v2/users"): "users.create",
    ("POST", "oauth/token"): "token",
    ("POST", "passwordless/start"): "passwordless.start",
    ("POST", "dbconnections/change_password"): "change_password",
    ("GET", ".well-known/jwks.json"): "jwks",
    ("GET", ".well-known/openid-configuration"): "configuration",
}
_OF_ONE_USER: Final = {
    ("GET", 4): "users.get",
    ("PATCH", 4): "users.update",
    ("DELETE", 4): "users.delete",
    ("POST", 5, "identities"): "identities.link",
    ("DELETE", 7, "identities"): "identities.unlink",
}
"""Method, number of path segments, and what stands behind the user's id."""


class Tenant:
    """An Auth0 tenant. Everything about it can be changed at any time, from any thread.

    Operations, as faults and records name them: `users-by-email`, `users.search`, `users.get`, `users.create`,
    `users.update`, `users.delete`, `identities.link`, `identities.unlink`, `token.client_credentials`, `token.otp`,
    `token.password`, `token.exchange`, `passwordless.start`, `change_password`, `jwks`, `events`, and those of
    `resources`.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.clock = now
        self.domain = "tenant.invalid"
        self.ca_file = ""
        self.records = Records()
        self.faults = Faults()
        self.reset()

    def reset(self, *, fixtures: bool = True, bare: bool = False) -> None:
        """Go back to the start: no faults, no limits, no records, no skew; the fixture users, or nobody at all.

        `bare`: nothing is set up in the tenant.
        """
        self.bare = bare
        self.skew = 0.0
        self.faults.clear()
        self.records.clear()
        self.records.keep = True
        self.limits = Limits(self.now)
        self.accounts = Accounts(self.now)
        self.oddities = Oddities()
        self.tokens = Tokens(self.now)
        self.tokens.domain = self.domain
        self.resources = Resources(self.tokens, self.accounts.timestamp)
        self.clients = Clients(self.tokens, self.resources)
        if not bare:
            set_up(self.resources, self.clients.key)
        self.codes = Codes(self.accounts, self.tokens, self.records)
        self.identities = Identities(self.accounts, self.tokens)
        self.events = Events(self.tokens, self.now, self.accounts.timestamp)
        self._routes = self._wired()
        if fixtures:
            people.add_fixtures(self.accounts)
        self.accounts.happened = self.events.happened

    def now(self) -> float:
        """Unix seconds by the tenant's clock, which may go wrong by `skew`."""
        return self.clock() + self.skew

    def serve_at(self, domain: str, ca_file: str) -> None:
        """Take the name, with port, under which the tenant is reached, and the file for SSL_CERT_FILE."""
        self.domain = self.tokens.domain = domain
        self.resources.serve_at(self.tokens.management_audience)
        self.ca_file = ca_file

    def answer(self, call: Call) -> Reply:
        """Return the right reply to a call whose operation is known."""
        try:
            limit = _limit_of(call)
            headers = self.limits.take(limit) if limit else {}
            reply = self._routes.get(call.operation, _unknown)(call)
            if call.operation.startswith("users") and reply.body:
                self.oddities.show(reply)
        except Refusal as refusal:
            headers, reply = {}, refusal.reply
        if headers:
            reply.headers.update(headers)
        return reply

    def _wired(self) -> dict[str, Callable[[Call], Reply]]:
        management = Management(self.accounts, self.tokens, self.resources.connections)
        self.password_policy = management.policy
        authentication = Authentication(
            self.accounts, self.tokens, self.clients, self.codes, self.records, self.resources
        )
        token = TokenEndpoint(self.accounts, self.tokens, self.clients, self.codes, self.resources)
        return {
            "events": self.events.subscribe,
            **self.resources.routes(),
            "users-by-email": management.by_email,
            "users.search": management.search,
            "users.get": management.get,
            "users.create": management.create,
            "users.update": management.update,
            "users.delete": management.delete,
            "identities.link": self.identities.link,
            "identities.unlink": self.identities.unlink,
            "token.client_credentials": token.client_credentials,
            "token.otp": token.otp,
            "token.password": token.password,
            "token.exchange": token.exchange,
            "token": token.unsupported,
            "passwordless.start": authentication.start,
            "change_password": authentication.change_password,
            "jwks": authentication.jwks,
            "configuration": authentication.configuration,
        }

    # What tests ask for.

    def add_user(self, user_id: str, *, password: str | None = None, **fields: Any) -> Account:
        """Add a user; see `people.profile` for the fields."""
        made = people.profile(user_id, **fields)
        return self.accounts.add(made, None if password is None else hashed(password))

    def user(self, who: str) -> Account:
        """Return a user by username or user id; KeyError when there is none."""
        return self.accounts.by_id[self.subject(who)]

    def odd(self, who: str, fields: dict[str, Any]) -> None:
        """Show a user (username or user id) with these values, by place: `email`, `identities.1.profileData`."""
        self.oddities.fields.setdefault(self.subject(who), {}).update(fields)

    def offer_events(self) -> None:
        """Let the service read the tenant's events."""
        self.tokens.m2m_scopes = (*(self.tokens.m2m_scopes or M2M_SCOPES), EVENTS_SCOPE)

    def subject(self, who: str) -> str:
        """Return the user id of a username; anything else is taken for a user id."""
        return self.accounts.by_username.get(who, who)

    def access_token(
        self,
        who: str,
        scopes: Iterable[str] = USER_SCOPES,
        *,
        lifetime: float = 3600,
        key: Key | None = None,
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return an access token of that user (username or user id); `claims` override, None removes one."""
        return self.tokens.access(self.subject(who), scopes, lifetime=lifetime, key=key, header=header, **claims)

    def impersonator_token(self, who: str, **claims: Any) -> str:
        """Return a token for the LFX v2 API whose bearer may impersonate."""
        return self.access_token(who, ["access:api"], **{"aud": LFX_V2_AUDIENCE, CAN_IMPERSONATE: True, **claims})

    def admin_token(self, scopes: Iterable[str] = MANAGEMENT_SCOPES, **claims: Any) -> str:
        """Return a Management API token as the dashboard's API explorer gives them."""
        own = {"aud": self.tokens.management_audience, "azp": "admin-client", "gty": "client-credentials"}
        return self.tokens.access("admin-client@clients", scopes, **{**own, **claims})

    def id_token(self, subject: object, *, exists: bool = True, **claims: Any) -> str:
        """Return an ID token of somebody who signed in, and has therefore a user record unless `exists` is False."""
        if exists and isinstance(subject, str):
            provider, _, identity_id = subject.partition("|")
            if provider and identity_id and self.accounts.owner(provider, identity_id) is None:
                kinds = {"email": str, "email_verified": bool, "name": str, "nickname": str}
                known = {key: claims[key] for key, kind in kinds.items() if isinstance(claims.get(key), kind)}
                self.add_user(subject, **known)
        return self.tokens.id(subject, **claims)

    def attacks(self, who: str) -> dict[str, str]:
        """Return tokens that must be refused, by the name of the attack."""
        return forgery.attacks(self.tokens, self.subject(who))

    def environment(self) -> dict[str, str]:
        """Return the variables with which the service is set up for this tenant; of a bare one, how to set it up."""
        if self.bare:
            return {
                "AUTH0_DOMAIN": self.domain,
                "SSL_CERT_FILE": self.ca_file,
                "AUTH0_ADMIN_CLIENT_ID": ADMIN_CLIENT,
                "AUTH0_ADMIN_CLIENT_SECRET": ADMIN_SECRET,
                "AUTH0_LFX_V2_API_AUDIENCE": LFX_V2_AUDIENCE,
            }
        return {
            "USER_REPOSITORY_TYPE": "auth0",
            "AUTH0_DOMAIN": self.domain,
            "SSL_CERT_FILE": self.ca_file,
            "AUTH0_M2M_CLIENT_ID": M2M_CLIENT,
            "AUTH0_M2M_PRIVATE_BASE64_KEY": base64.b64encode(self.clients.key.pem).decode(),
            "AUTH0_AUDIENCE": self.tokens.management_audience,
            "AUTH0_LFX_PROFILE_CLIENT_ID": PROFILE_CLIENT,
            "AUTH0_LFX_PROFILE_CLIENT_SECRET": PROFILE_SECRET,
            "AUTH0_LFX_ONE_CLIENT_ID": LFX_ONE_CLIENT,
            "AUTH0_LFX_V2_API_AUDIENCE": LFX_V2_AUDIENCE,
            "AUTH0_IMPERSONATION_AUDIENCES": INSIGHTS_AUDIENCE,
            **({"AUTH0_EVENTS": "true"} if EVENTS_SCOPE in (self.tokens.m2m_scopes or ()) else {}),
        }


def operation_of(call: Call) -> str:
    """Return the name of what a call asks for."""
    if call.segments[:3] == _USERS and len(call.segments) > 3:
        shape: tuple[str | int, ...] = (call.method, len(call.segments), *call.segments[4:5])
        return _OF_ONE_USER.get(shape, UNKNOWN)
    operation = _BY_PATH.get((call.method, "/".join(call.segments))) or UNKNOWN
    if operation == UNKNOWN and call.segments[:2] == _USERS[:2]:
        operation = operation_on_resources(call) or UNKNOWN
    return _grant(call) if operation == "token" else operation


def _grant(call: Call) -> str:
    try:
        grant = call.fields().get("grant_type")
    except Refusal:
        return "token"
    return GRANTS.get(grant, "token") if isinstance(grant, str) else "token"


def _limit_of(call: Call) -> str:
    if call.segments[:2] == ("api", "v2"):
        return "read" if call.method == "GET" else "write"
    return "authentication" if call.method == "POST" else ""


def _unknown(_: Call) -> Reply:
    return api_error(404, "Not Found")
