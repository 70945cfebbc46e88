# SPDX-License-Identifier: MIT
"""What becomes of the previous primary address when another one takes its place."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app.domain.emails import Emails
from app.domain.spellings import comparable
from app.domain.users import EMAIL, Address, Identity, User

NEW = Address("ada@lovelace.example")
OLD = Address("ada@example.org")


class Account:
    """One account; keeps what is changed in it."""

    def __init__(self, primary: str, *identities: Address) -> None:
        linked = (Identity(EMAIL, address, EMAIL, address, email_verified=True) for address in (NEW, *identities))
        self.user = User("auth0|ada", primary_email=primary, identities=tuple(linked))
        self.changes: list[tuple[Address, Address | None]] = []

    async def verify(self, token: str, **_: str) -> str:
        return token

    async def of_caller(self, _: str) -> User:
        return self.user

    async def set_primary(self, _: User, address: Address, *, keep: Address | None) -> None:
        self.changes.append((address, keep))


def changed(account: Account) -> list[tuple[Address, Address | None]]:
    asyncio.run(Emails(account, account, account).set_primary("token", NEW))
    return account.changes


@pytest.mark.parametrize(
    ("account", "keep"),
    [(Account(OLD), OLD), (Account(OLD, OLD), None), (Account(""), None), (Account(" "), None)],
    ids=["held nowhere else", "held as an alternate", "none", "blank"],
)
def test_the_previous_address_is_kept_where_it_is_held_nowhere_else(account, keep):
    assert changed(account) == [(NEW, keep)]


@pytest.mark.parametrize("primary", ['"ada lovelace"@example.org', "ada\u00a0l@example.org", "ada"])
def test_what_becomes_of_one_that_is_no_address_is_for_the_provider_to_say(primary):
    assert changed(Account(f" {primary} ")) == [(NEW, primary)]


@pytest.mark.parametrize("verified", [(True, False), (False, True)])
def test_of_two_identities_of_one_address_the_verified_one_counts(verified):
    account = Account(OLD)
    spellings = (NEW, "Ada@lovelace.example")
    account.user = replace(
        account.user,
        identities=tuple(
            Identity(EMAIL, spelling, EMAIL, spelling, email_verified=is_verified)
            for spelling, is_verified in zip(spellings, verified, strict=True)
        ),
    )
    ((address, _),) = changed(account)
    assert comparable(address) == comparable(NEW)
