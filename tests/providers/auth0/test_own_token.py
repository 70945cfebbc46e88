# SPDX-License-Identifier: MIT
"""The service's own token, without a socket: when it is fetched, used, replaced and given up; seconds pass at once."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from jose import jwt
from loguru import logger

from app.domain.errors import ProviderUnavailable
from providers.auth0.tenant.errors import CredentialsRefused
from providers.auth0.tokens.credentials import Assertions, Credentials
from tests.providers.auth0.conftest import Counts
from tests.stand_ins.auth0.keys import rsa_key
from tests.support.auth0_line import UNIX, Tenant, unix
from tests.support.virtual_time import in_virtual_time, now

KEY = rsa_key("own")
FORM = {"grant_type": "client_credentials", "audience": "https://api.example/"}


class World:
    """A tenant whose n-th answer is as is said: seconds of life of a token, or status and content."""

    def __init__(self, *ends: object, seconds: float = 0.0) -> None:
        self.counts = Counts()
        given = enumerate(itertools.chain(ends, itertools.repeat(ends[-1])), 1)

        def answer(_: object) -> tuple[int, object]:
            number, end = next(given)
            if isinstance(end, tuple):
                return end
            return 200, {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": end}

        self.tenant = Tenant(answer, seconds)
        assertions = Assertions("client", KEY.private, "https://tenant.example/", unix)
        self.credentials = Credentials(self.tenant.line(self.counts), assertions, FORM, unix)


@in_virtual_time
async def test_a_token_is_asked_for_with_a_signed_assertion_of_fifty_seconds():
    world = World(3600)
    assert world.credentials.had_one is False
    assert await world.credentials.token() == "token-1"
    assert world.credentials.had_one is True
    [request] = world.tenant.requests
    assert (request.method, str(request.url)) == ("POST", "https://tenant.example/oauth/token")
    assert "authorization" not in request.headers
    sent = json.loads(request.content)
    assertion = sent.pop("client_assertion")
    assert sent == {
        **FORM,
        "client_id": "client",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert KEY.signed(assertion)
    claims = jwt.get_unverified_claims(assertion)
    assert len(claims.pop("jti")) == 32
    assert claims == {
        "iss": "client",
        "sub": "client",
        "aud": "https://tenant.example/",
        "iat": UNIX,
        "exp": UNIX + 50,
    }
    assert world.counts.refreshes == {("m2m_token", "ok"): 1}


@in_virtual_time
async def test_every_assertion_has_an_id_of_its_own():
    assertions = Assertions("client", KEY.private, "https://tenant.example/", unix)
    assert len({jwt.get_unverified_claims(assertions.sign())["jti"] for _ in range(5)}) == 5


@in_virtual_time
async def test_a_token_is_used_until_a_minute_before_its_end():
    world = World(3600)
    await world.credentials.token()
    await asyncio.sleep(3539.9)
    assert await world.credentials.token() == "token-1"
    await asyncio.sleep(0.1)
    assert await world.credentials.token() == "token-2"
    assert await world.credentials.token() == "token-2"


@in_virtual_time
async def test_who_waits_shares_the_fetch():
    world = World(3600, seconds=1.0)
    assert await asyncio.gather(*(world.credentials.token() for _ in range(20))) == ["token-1"] * 20


@in_virtual_time
async def test_a_token_that_was_refused_is_used_no_more_and_another_one_stays():
    world = World(3600)
    await world.credentials.token()
    world.credentials.discard("another")
    assert await world.credentials.token() == "token-1"
    world.credentials.discard("token-1")
    world.credentials.discard("token-1")
    assert await world.credentials.token() == "token-2"


@in_virtual_time
async def test_it_is_replaced_in_the_last_fifth_of_its_life_before_anybody_waits():
    world = World(1060)
    async with world.credentials.kept():
        await asyncio.sleep(1700)
    assert world.tenant.moments == [0.0, 800.0, 1600.0]
    await asyncio.sleep(5000)
    assert len(world.tenant.moments) == 3


@in_virtual_time
async def test_a_token_of_a_short_life_is_replaced_every_second():
    world = World(61)
    async with world.credentials.kept():
        await asyncio.sleep(2.5)
    assert world.tenant.moments == [0.0, 1.0, 2.0]


@in_virtual_time
async def test_one_that_was_refused_is_replaced_at_once():
    world = World(3600)
    async with world.credentials.kept():
        await asyncio.sleep(10.0)
        world.credentials.discard("token-1")
        await asyncio.sleep(1.0)
        assert world.tenant.moments == [0.0, 10.0]
        await asyncio.sleep(100.0)
    assert world.tenant.moments == [0.0, 10.0]


@in_virtual_time
async def test_what_fails_is_tried_again_soon_and_then_less_often():
    world = World(*[(400, {"error": "invalid_client"})] * 6, 3600)
    async with world.credentials.kept():
        await asyncio.sleep(200)
    assert world.tenant.moments == [0.0, 2.0, 7.0, 17.0, 47.0, 77.0, 107.0]
    assert world.counts.refreshes == {("m2m_token", "failed"): 6, ("m2m_token", "ok"): 1}


@in_virtual_time
async def test_work_that_keeps_it_has_a_requests_time():
    world = World(3600, seconds=99.0)
    async with world.credentials.kept():
        await asyncio.sleep(8.9)
        assert world.counts.refreshes == {}
        await asyncio.sleep(0.2)  # a tenth of ten seconds is kept, as for a reply
        assert world.counts.refreshes == {("m2m_token", "failed"): 1}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"error": "invalid_client"}, "own token refused with status 401: invalid_client"),
        ({"error": "x" * 100}, "own token refused with status 401: " + "x" * 60),
        ({"error": "é"}, "own token refused with status 401"),
        ({"error": "a\nb"}, "own token refused with status 401"),
        ({}, "own token refused with status 401"),
        ([], "own token refused with status 401"),
    ],
)
@in_virtual_time
async def test_a_refusal_is_told_with_the_word_that_the_tenant_has_for_it_and_logged(content, why):
    lines: list[str] = []
    handler = logger.add(lines.append, level="ERROR", format="{message} {extra[status]}")
    with pytest.raises(CredentialsRefused) as raised:
        await World((401, content)).credentials.token()
    logger.remove(handler)
    assert str(raised.value) == why
    assert lines == ["the tenant refuses this service a token of its own 401\n"]


NO_TOKENS = {
    "nothing": {},
    "a list": [],
    "no token": {"expires_in": 60},
    "an empty token": {"access_token": "", "expires_in": 60},
    "a number": {"access_token": 5, "expires_in": 60},
    "a space": {"access_token": "a b", "expires_in": 60},
    "a line feed": {"access_token": "a\nb", "expires_in": 60},
    "beyond ASCII": {"access_token": "é", "expires_in": 60},
    "no life": {"access_token": "a"},
    "a life of nothing": {"access_token": "a", "expires_in": 0},
    "a life before": {"access_token": "a", "expires_in": -5},
    "a life that is true": {"access_token": "a", "expires_in": True},
    "a life that is a text": {"access_token": "a", "expires_in": "60"},
}


@pytest.mark.parametrize("name", NO_TOKENS)
@in_virtual_time
async def test_what_is_no_token_is_the_providers_fault(name):
    world = World((200, NO_TOKENS[name]))
    with pytest.raises(ProviderUnavailable) as raised:
        await world.credentials.token()
    assert str(raised.value.__cause__) == "m2m_token failed: answer is no token"
    assert (world.credentials.had_one, now()) == (False, 10.0)
    await asyncio.sleep(10.0)
    assert world.counts.refreshes == {("m2m_token", "failed"): 1}


@pytest.mark.parametrize("name", NO_TOKENS)
@in_virtual_time
async def test_what_is_no_token_is_asked_for_again(name):
    world = World((200, NO_TOKENS[name]), 3600)
    assert await world.credentials.token() == "token-2"


@pytest.mark.parametrize(
    ("scope", "granted"), [("a b", {"a", "b"}), ("", set()), (None, None), (["a"], None), ("a  b", {"a", "b"})]
)
@in_virtual_time
async def test_the_scopes_are_those_that_the_endpoint_tells(scope, granted):
    world = World((200, {"access_token": "t", "expires_in": 1, "scope": scope}))
    assert world.credentials.granted is None
    assert await world.credentials.token() == "t"
    assert world.credentials.granted == granted
