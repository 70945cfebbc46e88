# SPDX-License-Identifier: MIT
"""What is verified of a caller's token, without a tenant to ask: moments to the second, and what is remembered."""

from __future__ import annotations

import pytest

from app.domain.errors import (
    InvalidAudience,
    InvalidIssuer,
    InvalidToken,
    MissingScope,
    ServiceError,
    TokenExpired,
)
from providers.auth0.tokens.keys import Keys
from providers.auth0.tokens.verifier import Tokens
from tests.providers.auth0.conftest import Counts
from tests.stand_ins.auth0.forgery import attacks
from tests.stand_ins.auth0.keys import rsa_key
from tests.stand_ins.auth0.tokens import Tokens as Issuing
from tests.support.auth0_line import UNIX, Tenant
from tests.support.virtual_time import in_virtual_time, now

MADE = [rsa_key(name) for name in ("tenant-key-1", "tenant-key-2", "foreign-key")]
"""Made once, before any test."""

API = "https://tenant.invalid/api/v2/"
READ = "read:own"
CLAIM = "http://lfx.dev/claims/can_impersonate"


class World:
    """A tenant that signs tokens, and who verifies them, at a moment that can be moved."""

    def __init__(self, also_read: str = "") -> None:
        self.at = UNIX
        self.issuing = Issuing(lambda: self.at)
        self.tenant = Tenant(lambda _: (200, self.issuing.keys.document()))
        self.keys = Keys(self.tenant.line(Counts()), lambda: now() + self.at)
        self.tokens = Tokens(self.keys, "https://tenant.invalid/", API, lambda: self.at, also_read)

    async def error(self, token: str, scope: str = READ) -> type[ServiceError] | None:
        try:
            await self.tokens.verify(token, scope=scope)
        except ServiceError as error:
            return type(error)
        return None


@in_virtual_time
async def test_a_genuine_token_says_what_stands_in_it():
    world = World()
    token = world.issuing.access("auth0|ada", [READ, "more"], nbf=UNIX - 5, **{CLAIM: True})
    caller = await world.tokens.verify(token, scope=READ)
    assert (caller.subject, caller.token.get_secret_value(), caller.username) == ("auth0|ada", token, "")
    said = await world.tokens.genuine(token)
    assert (said.issuer, said.audiences) == ("https://tenant.invalid/", {API, "https://tenant.invalid/userinfo"})
    assert (said.scopes, said.expires, said.not_before) == ({READ, "more"}, UNIX + 3600, UNIX - 5)
    assert (said.may_impersonate, said.kid, said.key) == (True, "tenant-key-1", world.keys.known("tenant-key-1"))


@in_virtual_time
async def test_every_attack_is_refused():
    world = World()
    refused = {name: await world.error(token, "openid") for name, token in attacks(world.issuing, "auth0|ada").items()}
    assert len(refused) >= 30
    for name, error in refused.items():
        of_issuer, of_audience = "issuer" in name, "audience" in name or name == "an ID token"
        assert error is (InvalidIssuer if of_issuer else InvalidAudience if of_audience else InvalidToken), name


CLAIMS = {
    "a scope that is a list": ({"scope": [READ]}, MissingScope),
    "no scope": ({"scope": None}, MissingScope),
    "a scope within another": ({"scope": f"{READ}s x{READ}"}, MissingScope),
    "two spaces": ({"scope": f"openid  {READ}"}, None),
    "one audience": ({"aud": API}, None),
    "an audience in a list with what is none": ({"aud": [5, None, API]}, None),
    "an audience in an object": ({"aud": {API: API}}, InvalidAudience),
    "an audience within another": ({"aud": f"{API}x"}, InvalidAudience),
    "an issuer that is a list": ({"iss": ["https://tenant.invalid/"]}, InvalidIssuer),
    "a blank subject": ({"sub": " \t"}, InvalidToken),
    "an expiry that is true": ({"exp": True}, InvalidToken),
    "an expiry that is far away": ({"exp": 2**53}, InvalidToken),
    "an expiry that is as far as may be": ({"exp": 2**53 - 1}, None),
    "an expiry with a part of a second": ({"exp": UNIX + 0.5}, None),
    "a beginning that is a text": ({"nbf": "0"}, InvalidToken),
    "a beginning that is far away": ({"nbf": -(2**53)}, InvalidToken),
    "a beginning long ago": ({"nbf": -(2**53) + 1}, None),
    "a type that is no JWT": ({}, None),
}


@pytest.mark.parametrize("name", CLAIMS)
@in_virtual_time
async def test_claims_are_taken_for_what_they_are(name):
    claims, error = CLAIMS[name]
    world = World()
    header = {"typ": "at+jwt"} if name == "a type that is no JWT" else None
    assert await world.error(world.issuing.access("auth0|ada", [READ], header=header, **claims)) is error


@pytest.mark.parametrize("said", ["true", 1, None, False, [True]])
@in_virtual_time
async def test_only_true_allows_to_impersonate(said):
    world = World()
    token = world.issuing.access("auth0|ada", **{CLAIM: said})
    assert (await world.tokens.genuine(token)).may_impersonate is False


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"exp": UNIX - 29}, None),
        ({"exp": UNIX - 30}, TokenExpired),
        ({"nbf": UNIX + 30}, None),
        ({"nbf": UNIX + 31}, InvalidToken),
    ],
)
@in_virtual_time
async def test_clocks_may_differ_by_less_than_thirty_seconds(claims, error):
    world = World()
    assert await world.error(world.issuing.access("auth0|ada", [READ], **claims)) is error


@in_virtual_time
async def test_a_remembered_token_is_looked_at_anew_but_for_its_signature():
    world = World()
    token = world.issuing.access("auth0|ada", [READ])
    first = await world.tokens.genuine(token)
    assert await world.tokens.genuine(token) is first
    assert await world.error(token, "other") is MissingScope
    world.at += 3629
    assert await world.error(token) is None
    world.at += 1
    assert await world.error(token) is TokenExpired


@in_virtual_time
async def test_a_token_whose_key_is_withdrawn_or_changed_is_verified_again():
    world = World()
    token = world.issuing.access("auth0|ada", [READ])
    assert await world.error(token) is None
    world.issuing.keys.rotate(revoke=True)
    world.at += 31
    assert await world.error(world.issuing.access("auth0|ada", [READ])) is None
    assert await world.error(token) is InvalidToken
    stolen = world.issuing.keys.current.under("tenant-key-1")
    world.issuing.keys.published.append(stolen)
    world.at += 31
    assert await world.error(stolen.under("nobody").sign({"sub": "auth0|ada", "exp": UNIX + 3600})) is InvalidToken
    assert await world.error(token) is InvalidToken


async def _is_remembered(world: World, token: str) -> bool:
    return (await world.tokens.genuine(token)) is (await world.tokens.genuine(token))


def _of_length(world: World, length: int) -> str:
    """Return a token of that many characters; not every length of the claims makes every length of a token."""
    for header in ({}, {"x": ""}, {"x": "y"}):
        short = world.issuing.access("auth0|ada", jti="j", more="", header=header)
        for more in range((length - len(short)) * 3 // 4 - 3, (length - len(short)) * 3 // 4 + 3):
            token = world.issuing.access("auth0|ada", jti="j", more="x" * more, header=header)
            if len(token) == length:
                return token
    raise AssertionError(length)


@pytest.mark.parametrize(("length", "remembered"), [(4096, True), (4097, False)])
@in_virtual_time
async def test_a_token_of_more_than_four_kib_is_not_remembered(length, remembered):
    world = World()
    assert await _is_remembered(world, _of_length(world, length)) is remembered


@pytest.mark.parametrize(("ago", "remembered"), [(29, True), (30, False)])
@in_virtual_time
async def test_a_token_that_is_no_good_any_more_is_not_remembered(ago, remembered):
    world = World()
    assert await _is_remembered(world, world.issuing.access("auth0|ada", exp=UNIX - ago)) is remembered


@in_virtual_time
async def test_of_ten_thousand_tokens_those_used_last_are_remembered(monkeypatch):
    monkeypatch.setattr("providers.auth0.tokens.verifier.MAX_REMEMBERED", 3)
    world = World()
    tokens = [world.issuing.access("auth0|ada", jti=str(number)) for number in range(4)]
    first = [await world.tokens.genuine(token) for token in tokens[:3]]
    assert await world.tokens.genuine(tokens[0]) is first[0]
    await world.tokens.genuine(tokens[3])
    assert await world.tokens.genuine(tokens[0]) is first[0]
    assert await world.tokens.genuine(tokens[2]) is first[2]
    assert await world.tokens.genuine(tokens[1]) is not first[1]


@in_virtual_time
async def test_a_token_for_the_other_audience_says_who_its_subject_is_and_lets_nobody_act():
    world = World("https://lfx-api.example/")
    token = world.issuing.access("auth0|ada", [READ], aud="https://lfx-api.example/")
    assert await world.tokens.subject_of(token) == "auth0|ada"
    assert await world.error(token) is InvalidAudience
    assert await world.tokens.subject_of(world.issuing.access("auth0|eda")) == "auth0|eda"
    with pytest.raises(InvalidAudience):
        await World().tokens.subject_of(token)


@pytest.mark.parametrize("audience", ["", [""]])
@in_virtual_time
async def test_where_no_other_audience_is_configured_an_empty_one_is_none(audience):
    world = World()
    with pytest.raises(InvalidAudience):
        await world.tokens.subject_of(world.issuing.access("auth0|ada", aud=audience))


@pytest.mark.parametrize("text", ["ł.ą.ć", "", "a.b.c"])
@in_virtual_time
async def test_what_is_no_token_has_nothing_fetched(text):
    world = World()
    assert await world.error(text) is InvalidToken
    assert world.tenant.requests == []
