# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from app.domain.errors import AliasNotAvailable, InvalidToken, TokenExpired
from app.settings import NatsSettings, Settings
from providers.mock import mock_provider
from tests.support.basics import unsigned

NOW = 1_900_000_000.0


@pytest.fixture
def callers():
    return mock_provider(Settings(NatsSettings()), lambda: NOW).callers


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "auth0|x"},
        {"sub": "auth0|x", "exp": None},
        {"sub": "auth0|x", "exp": NOW + 0.5},
        {"sub": "auth0|x", "exp": 10**30},
    ],
    ids=str,
)
async def test_any_jwt_speaks_for_its_sub(callers, claims):
    caller = await callers.verify(unsigned(claims), scope="any")
    assert caller.subject == "auth0|x"


async def test_a_users_token_speaks_for_the_user_and_is_not_shown(callers):
    caller = await callers.verify("ada-token", scope="any")
    assert (caller.subject, caller.token.get_secret_value()) == ("auth0|ada", "ada-token")
    assert "ada-token" not in repr(caller)


@pytest.mark.parametrize("exp", [NOW, NOW - 1, 0, -(10**30), int(NOW)])
async def test_exp_is_respected(callers, exp):
    with pytest.raises(TokenExpired):
        await callers.verify(unsigned({"sub": "auth0|x", "exp": exp}), scope="any")


@pytest.mark.parametrize(
    "token",
    [
        "auth0|ada",
        "ada",
        "",
        "a.b.c",
        *(unsigned({"sub": sub}) for sub in (None, "", " ", 5, ["x"])),
        *(unsigned({"sub": "auth0|x", "exp": exp}) for exp in ("soon", True, [], float("nan"))),
        unsigned(["sub"]),
        unsigned({"sub": "auth0|x"}, header=["alg"]),
    ],
)
async def test_anything_else_is_no_token(callers, token):
    with pytest.raises(InvalidToken):
        await callers.verify(token, scope="any")


async def test_an_alias_taken_since_it_was_looked_up_is_not_given_twice():
    provider = mock_provider(Settings(NatsSettings()), lambda: NOW)
    ada, grace = [await provider.directory.by_subject(f"auth0|{name}") for name in ("ada", "grace.hopper")]
    await provider.aliases.claim(ada, "jane@linux.com")
    with pytest.raises(AliasNotAvailable):
        await provider.aliases.claim(grace, "jane@linux.com")
