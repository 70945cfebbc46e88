# SPDX-License-Identifier: MIT
"""The tenant's users, and the search index that may lag behind them."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.stand_ins.auth0 import lucene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATABASE = "Username-Password-Authentication"
_INDEXED = ("identities.user_id", "identities.profileData.email", "user_id", "username")

Profile = dict[str, Any]
"""A user as the Management API shows it. Never changed in place: a change replaces it."""


@dataclass(slots=True)
class Account:
    """A user, with what nobody is shown."""

    profile: Profile
    password: str | None = None
    former_passwords: list[str] = field(default_factory=list)
    failures: int = 0
    encoded: bytes = b""

    @property
    def user_id(self) -> str:
        return str(self.profile["user_id"])

    def json(self) -> bytes:
        """Return the profile as JSON."""
        if not self.encoded:
            self.encoded = json.dumps(self.profile).encode()
        return self.encoded


class SearchIndex:
    """What the user search knows; while it lags, it does not learn of changes."""

    def __init__(self) -> None:
        self.lagging = False
        self._documents: dict[str, Profile] = {}
        self._by_value: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._pending: list[tuple[str, Profile | None]] = []

    def put(self, user_id: str, profile: Profile | None) -> None:
        """Take note of a user, None for one who is gone."""
        self._pending.append((user_id, profile))
        if not self.lagging:
            self.catch_up()

    def catch_up(self) -> None:
        """Take note of all that happened."""
        for user_id, profile in self._pending:
            for key in _keys(self._documents.pop(user_id, {})):
                self._by_value[key].pop(user_id, None)
            if profile is not None:
                self._documents[user_id] = profile
                for key in _keys(profile):
                    self._by_value[key][user_id] = None
        self._pending.clear()

    def search(self, text: str) -> list[Profile]:
        """Return the users that match; lucene.QueryError when the query does not parse."""
        if not text:
            return list(self._documents.values())
        query = lucene.parse(text)
        if query.exact is not None and query.exact[0] in _INDEXED:
            return [self._documents[user_id] for user_id in self._by_value.get(query.exact, ())]
        return [document for document in self._documents.values() if query.matches(document)]


def _keys(profile: Profile) -> Iterator[tuple[str, str]]:
    return ((name, value) for name in _INDEXED for value in lucene.values(profile, name))


class Accounts:
    """All users, found by what they are found by at once: id, e-mail, identity."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.index = SearchIndex()
        self.happened: Callable[[str, Profile], None] = lambda _kind, _user: None
        """Is told `user.created`, `user.updated` or `user.deleted`, and the user."""
        self.by_id: dict[str, Account] = {}
        self.by_username: dict[str, str] = {}
        self._by_email: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_identity: dict[tuple[str, str], str] = {}
        self._by_proven: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def timestamp(self) -> str:
        """Return the time as Auth0 writes it."""
        return dt.datetime.fromtimestamp(self._now(), dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def add(self, profile: Profile, password: str | None = None) -> Account:
        """Add a user, in the place of one with the same id; `created_at` and `updated_at` are now unless given."""
        if (same := self.by_id.get(profile["user_id"])) is not None:
            self.remove(same)
        stamp = self.timestamp()
        account = Account({"created_at": stamp, "updated_at": stamp, **profile}, password)
        self.by_id[account.user_id] = account
        self._register(account)
        self.happened("user.created", account.profile)
        return account

    def change(self, account: Account, **fields: Any) -> Account:
        """Set fields of the profile; None removes one."""
        self._forget(account)
        merged = {**account.profile, **fields, "updated_at": self.timestamp()}
        account.profile = {key: value for key, value in merged.items() if value is not None}
        account.encoded = b""
        self._register(account)
        self.happened("user.updated", account.profile)
        return account

    def remove(self, account: Account) -> None:
        """Delete a user."""
        self._forget(account)
        del self.by_id[account.user_id]
        self.index.put(account.user_id, None)
        self.happened("user.deleted", account.profile)

    def with_email(self, email: str) -> list[Account]:
        """Return the users whose e-mail it is, to the letter."""
        return [self.by_id[user_id] for user_id in self._by_email.get(email, ())]

    def owner(self, provider: str, identity_id: str) -> Account | None:
        """Return the user who has that identity, as the first or as a linked one."""
        return self.by_id.get(self._by_identity.get((provider, identity_id), ""))

    def with_email_identity(self, email: str) -> Account | None:
        """Return the user who signs in with a code sent to that address; an unverified one proves nothing."""
        return next((self.by_id[user_id] for user_id in self._by_proven.get(email.lower(), ())), None)

    def _register(self, account: Account) -> None:
        profile = account.profile
        if email := profile.get("email"):
            self._by_email[email][account.user_id] = None
        if username := profile.get("username"):
            self.by_username[username] = account.user_id
        for first, identity in _numbered(profile):
            self._by_identity[identity["provider"], str(identity["user_id"])] = account.user_id
            if address := proven_address(profile, identity, first=first):
                self._by_proven[address][account.user_id] = None
        self.index.put(account.user_id, profile)

    def _forget(self, account: Account) -> None:
        profile = account.profile
        self._by_email[profile.get("email", "")].pop(account.user_id, None)
        self.by_username.pop(profile.get("username", ""), None)
        for first, identity in _numbered(profile):
            self._by_identity.pop((identity["provider"], str(identity["user_id"])), None)
            self._by_proven[proven_address(profile, identity, first=first)].pop(account.user_id, None)


def _numbered(profile: Profile) -> Iterator[tuple[bool, dict[str, Any]]]:
    return ((number == 0, identity) for number, identity in enumerate(profile.get("identities", ())))


def proven_address(profile: Profile, identity: dict[str, Any], *, first: bool) -> str:
    """Return the address of an identity of the connection `email`; empty for any other, and when it is not verified."""
    if identity.get("connection") != "email":
        return ""
    source = profile if first else identity.get("profileData", {})
    return str(source.get("email", "")).lower() if first or source.get("email_verified") else ""


def new_identity_id() -> str:
    """Return an id as Auth0 gives them: 24 hexadecimal digits."""
    return secrets.token_hex(12)
