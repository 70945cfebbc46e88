# SPDX-License-Identifier: MIT
"""Aliases in memory: one an account and domain, also for claims that saw the account before another was through."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.errors import AlreadyClaimed
from app.domain.users import Address
from app.settings import Settings
from providers.mock import mock_provider


async def test_of_fifty_claims_at_once_one_is_granted():
    provider = mock_provider(Settings())
    user = await provider.directory.by_subject("auth0|ada")
    claims = [provider.aliases.claim(user, Address(f"ada.{n}@linux.com")) for n in range(50)]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), *[AlreadyClaimed] * 49]
    with pytest.raises(AlreadyClaimed):
        await provider.aliases.claim(user, Address("ada@linux.com"))
    after = await provider.directory.by_subject("auth0|ada")
    assert [one.email for one in after.alternate_emails if one.email.endswith("@linux.com")] == ["ada.0@linux.com"]
