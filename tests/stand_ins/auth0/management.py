# SPDX-License-Identifier: MIT
"""The Management API's user endpoints: searches and GET, POST, PATCH, DELETE of a user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0 import lucene
from tests.stand_ins.auth0.accounts import DATABASE, new_identity_id
from tests.stand_ins.auth0.passwords import Policy, hashed
from tests.stand_ins.auth0.people import profile
from tests.stand_ins.auth0.web import Call, Reply, api_refusal, json_reply

if TYPE_CHECKING:
    from tests.stand_ins.auth0.accounts import Account, Accounts, Profile
    from tests.stand_ins.auth0.resources.connections import Connections
    from tests.stand_ins.auth0.tokens import Tokens

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_LONGEST_ID = 255
_MOST_RESULTS = 1000


class Management:
    """Handlers; each takes a call and returns a reply or raises Refusal."""

    def __init__(self, accounts: Accounts, tokens: Tokens, connections: Connections) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._connections = connections
        self.policy = Policy()

    def by_email(self, call: Call) -> Reply:
        """GET /api/v2/users-by-email: consistent at once, compared to the letter, main addresses alone."""
        self._tokens.authorize(call, "read:users")
        if "email" not in call.query:
            raise api_refusal(
                400, "Query validation error: 'Missing required property: email'.", "invalid_query_string"
            )
        email = call.query["email"]
        if not _ADDRESS.fullmatch(email):
            raise api_refusal(
                400,
                "Query validation error: 'Object didn't pass validation for format email' on property email.",
                "invalid_query_string",
            )
        found = self._accounts.with_email(email)
        if "fields" in call.query:
            return json_reply(200, [_selected(account.profile, call) for account in found])
        return Reply(200, b"[" + b",".join(account.json() for account in found) + b"]")

    def search(self, call: Call) -> Reply:
        """GET /api/v2/users: Lucene's syntax, by an index that may lag."""
        self._tokens.authorize(call, "read:users")
        if call.query.get("search_engine", "v3") != "v3":
            raise api_refusal(400, "You are not allowed to use search_engine=v1 or v2.", "operation_not_supported")
        page, size = _number(call, "page", 0, _MOST_RESULTS), _number(call, "per_page", 50, 100)
        try:
            found = self._accounts.index.search(call.query.get("q", ""))
        except lucene.QueryError as error:
            raise api_refusal(400, f"Invalid search query: {error}", "invalid_query_string") from None
        start = page * size
        if start + size > _MOST_RESULTS:
            raise api_refusal(400, "You can only page through the first 1000 records.", "invalid_paging")
        users = [_selected(document, call) for document in found[start : start + size]]
        if call.query.get("include_totals") != "true":
            return json_reply(200, users)
        totals = {"start": start, "limit": size, "length": len(users), "total": len(found)}
        return json_reply(200, {**totals, "users": users})

    def get(self, call: Call) -> Reply:
        """GET /api/v2/users/{id}."""
        user_id = self._id(call)
        self._tokens.authorize(call, "read:users", user_id=user_id, own="read:current_user")
        account = existing(self._accounts.by_id.get(user_id))
        return (
            json_reply(200, _selected(account.profile, call)) if "fields" in call.query else Reply(200, account.json())
        )

    def create(self, call: Call) -> Reply:
        """POST /api/v2/users."""
        self._tokens.authorize(call, "create:users")
        fields = call.fields()
        connection = fields.get("connection")
        if not isinstance(connection, str):
            raise _invalid("Missing required property: connection")
        if connection not in {"email", DATABASE} or self._connections.named(connection) is None:
            raise api_refusal(400, "The connection does not exist", "inexistent_connection")
        email = _email(fields)
        if not email or (connection == "email" and "password" in fields):
            raise _invalid("'email' is required" if not email else "Additional properties not allowed: password")
        if connection == "email":
            return self._created(f"email|{new_identity_id()}", email, fields, self._accounts.with_email_identity(email))
        taken = next((one for one in self._accounts.with_email(email) if "password" in _kinds(one)), None)
        username = str(fields.get("username", ""))
        password = fields.get("password")
        if not isinstance(password, str):
            raise _invalid("Missing required property: password")
        self.policy.check(password, {"email": email, "username": username})
        return self._created(f"auth0|{username or new_identity_id()}", email, fields, taken, hashed(password))

    def _created(
        self, user_id: str, email: str, fields: dict[str, Any], taken: Account | None, password: str | None = None
    ) -> Reply:
        if taken is not None or user_id in self._accounts.by_id:
            raise api_refusal(409, "The user already exists.", "auth0_idp_error")
        made = profile(
            user_id, username=str(fields.get("username", "")), email=email, metadata=fields.get("user_metadata")
        )
        made["email_verified"] = fields.get("email_verified") is True
        if "app_metadata" in fields:
            made["app_metadata"] = _object(fields, "app_metadata")
        return Reply(201, self._accounts.add(made, password).json())

    def update(self, call: Call) -> Reply:
        """PATCH /api/v2/users/{id}: metadata is merged at its first level, null removes."""
        user_id = self._id(call)
        fields = call.fields()
        own = "update:current_user_metadata" if set(fields) == {"user_metadata"} else ""
        self._tokens.authorize(call, "update:users", user_id=user_id, own=own)
        account = existing(self._accounts.by_id.get(user_id))
        if not fields:
            raise _invalid("Too few properties defined (0), minimum 1")
        if "password" in fields and "email" in fields:
            raise api_refusal(400, "Cannot update password and email simultaneously", "invalid_body")
        changes: dict[str, Any] = {
            name: _merged(account.profile.get(name, {}), _object(fields, name))
            for name in ("user_metadata", "app_metadata")
            if name in fields
        }
        changes |= {name: fields[name] for name in ("name", "nickname", "picture", "blocked") if name in fields}
        if "email" in fields:
            changes["email"] = self._new_email(account, fields)
        if isinstance(fields.get("email_verified"), bool):
            changes["email_verified"] = fields["email_verified"]
        if "password" in fields:
            self._set_password(account, fields)
        return Reply(200, self._accounts.change(account, **changes).json())

    def delete(self, call: Call) -> Reply:
        """DELETE /api/v2/users/{id}: of one who does not exist too."""
        user_id = self._id(call)
        self._tokens.authorize(call, "delete:users")
        account = self._accounts.by_id.get(user_id)
        if account is not None:
            self._accounts.remove(account)
        return Reply(204)

    def _id(self, call: Call) -> str:
        user_id = call.segments[3]
        provider, bar, rest = user_id.partition("|")
        if not (provider and bar and rest) or len(user_id) > _LONGEST_ID or not user_id.isprintable():
            message = "Object didn't pass validation for format user-id-with-max-length"
            raise api_refusal(400, message, "invalid_uri")
        return user_id

    def _new_email(self, account: Account, fields: dict[str, Any]) -> str:
        email = _email(fields)
        first = account.profile["identities"][0]["connection"]
        if not email:
            raise _invalid("'email' must be a string")
        if first not in {"email", DATABASE}:
            raise api_refusal(
                400,
                f"The following user attributes cannot be updated: email. The connection ({first}) must either be a "
                "database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled "
                "'Sync user profile attributes at each login'.",
                "operation_not_supported",
            )
        others = (other for other in self._accounts.with_email(email) if other is not account)
        if any(other.profile["identities"][0]["connection"] == first for other in others):
            raise api_refusal(400, "The specified new email already exists", "auth0_idp_error")
        return email

    def _set_password(self, account: Account, fields: dict[str, Any]) -> None:
        password = fields["password"]
        if fields.get("connection", DATABASE) != DATABASE or "password" not in _kinds(account):
            raise api_refusal(400, "The specified connection is not valid for this user.", "invalid_body")
        if not isinstance(password, str):
            raise _invalid("Expected type string but found another type on property password")
        former = [*account.former_passwords, account.password]
        self.policy.check(password, account.profile, former)
        account.former_passwords = [one for one in former if one is not None]
        account.password, account.failures = hashed(password), 0


def existing(account: Account | None) -> Account:
    """Return the account; Refusal 404 when there is none."""
    if account is None:
        raise api_refusal(404, "The user does not exist.", "inexistent_user")
    return account


def _kinds(account: Account) -> set[str]:
    return {"password" for identity in account.profile["identities"] if identity["connection"] == DATABASE}


def _invalid(message: str) -> Exception:
    return api_refusal(400, f"Payload validation error: '{message}'.", "invalid_body")


def _email(fields: dict[str, Any]) -> str:
    email = fields.get("email")
    if email is not None and not (isinstance(email, str) and _ADDRESS.fullmatch(email)):
        raise _invalid("Object didn't pass validation for format email' on property email (email address")
    return (email or "").lower()


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(fields[name], dict):
        raise _invalid(f"Expected type object on property {name}")
    return dict(fields[name])


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal() or int(text) > most:
        raise api_refusal(400, f"Query validation error: '{name}'.", "invalid_query_string")
    return int(text)


def _selected(document: Profile, call: Call) -> Profile:
    if "fields" not in call.query:
        return document
    named = call.query["fields"].split(",")
    include = call.query.get("include_fields", "true") == "true"
    return {key: value for key, value in document.items() if (key in named) is include}
