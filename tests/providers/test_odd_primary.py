# SPDX-License-Identifier: MIT
"""A previous primary e-mail that is no address: it cannot become an identity, but it can change places with another."""

from __future__ import annotations

import json
import time

import pytest

from app.domain.errors import SetPrimaryFailed
from app.domain.users import Address, User
from providers.auth0.accounts import Auth0Accounts
from providers.authelia.profiles import AutheliaAccounts
from providers.authelia.storage.users import Users
from providers.mock.profiles import MockAccounts
from providers.mock.store import Entry, Store
from tests.support.buckets import MemoryBucket

NEW = Address("ada@lovelace.example")
ODD = [
    "ada lovelace <ada@example.org>",
    '"ada lovelace"@example.org',
    "ada\u00a0l@example.org",
    "ada",
    "a" * 300 + "@x.org",
]


class Untouched:
    """A part of the provider that must not be asked for anything."""


@pytest.mark.parametrize("odd", ODD)
async def test_where_it_would_have_to_become_an_identity_nothing_is_changed(odd):
    user = User("auth0|ada", primary_email=odd)
    store = Store([(Entry(user), "")])
    for accounts in (Auth0Accounts(Untouched(), Untouched()), MockAccounts(store)):
        with pytest.raises(SetPrimaryFailed):
            await accounts.set_primary(user, NEW, keep=Address(odd))
    assert store.by_subject("auth0|ada").user == user


@pytest.mark.parametrize("odd", ODD)
async def test_on_authelia_it_changes_places_with_the_new_one(odd):
    bucket = MemoryBucket(0, time.time)
    record = {"username": "ada", "email": odd, "alternate_email": [{"email": NEW, "verified": True}]}
    await bucket.put("ada", json.dumps(record).encode(), 0)
    users = Users(bucket.opened, time.time)
    await AutheliaAccounts(users).set_primary(User("auth0|ada", "ada", odd), NEW, keep=Address(odd))
    stored = await users.get("ada")
    assert (stored["email"], stored["alternate_email"]) == (NEW, [{"email": odd, "verified": True}])
