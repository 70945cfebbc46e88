# SPDX-License-Identifier: MIT
"""Which keys are taken from the tenant's set, and when it is fetched: in seconds, which pass at once."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.domain.deadline import Deadline, set_deadline
from app.domain.errors import InvalidToken, ProviderUnavailable
from providers.auth0.tokens.keys import Keys
from tests.providers.auth0.conftest import Counts
from tests.stand_ins.auth0.keys import Key, rsa_key
from tests.support.auth0_line import Tenant
from tests.support.virtual_time import in_virtual_time, now

KEY = rsa_key("tenant-key-1")
JWK = KEY.jwk
OTHER = {**JWK, "kid": "other"}


class World:
    """A tenant whose n-th key set is as is said, and the last of these from then on; None: it has none."""

    def __init__(self, *sets: list[object] | None, seconds: float = 0.0) -> None:
        self.counts = Counts()
        given = itertools.chain(sets, itertools.repeat(sets[-1]))
        self.tenant = Tenant(
            lambda _: (200, {"keys": keys}) if (keys := next(given)) is not None else (404, {}), seconds
        )
        self.keys = Keys(self.tenant.line(self.counts), now)


async def found(world: World, kid: str = KEY.kid) -> type[Exception] | None:
    try:
        assert (await world.keys.find(kid)) is world.keys.known(kid)
    except (InvalidToken, ProviderUnavailable) as error:
        return type(error)
    return None


@in_virtual_time
async def test_the_set_is_fetched_for_a_key_and_not_again_for_one_that_is_there():
    world = World([JWK])
    assert world.keys.had_one is False
    assert world.keys.known(KEY.kid) is None
    assert await found(world) is None
    await asyncio.sleep(1000)
    assert await found(world) is None
    assert (len(world.tenant.requests), world.keys.had_one) == (1, True)
    (request,) = world.tenant.requests
    assert (request.method, str(request.url)) == ("GET", "https://tenant.example/.well-known/jwks.json")
    assert "authorization" not in request.headers
    assert world.counts.refreshes == {("jwks", "ok"): 1}
    token = KEY.sign({"sub": "auth0|ada"}).rsplit(".", 1)
    assert world.keys.known(KEY.kid).verify(token[0].encode(), b"no") is False


@in_virtual_time
async def test_an_unknown_key_has_the_set_fetched_once_in_thirty_seconds():
    world = World([JWK], [JWK, OTHER])
    assert await found(world, "other") is InvalidToken
    await asyncio.sleep(29.9)
    assert await found(world, "other") is InvalidToken
    assert world.tenant.moments == [0.0]
    await asyncio.sleep(0.1)
    assert await found(world, "other") is None
    assert world.tenant.moments == [0.0, 30.0]


@in_virtual_time
async def test_after_a_failure_it_is_tried_again_after_thirty_seconds():
    world = World(None, [JWK])
    assert await found(world) is ProviderUnavailable
    await asyncio.sleep(29.9)
    assert await found(world) is ProviderUnavailable
    assert world.tenant.moments == [0.0]
    await asyncio.sleep(0.1)
    assert await found(world) is None
    assert world.counts.refreshes == {("jwks", "failed"): 1, ("jwks", "ok"): 1}


@in_virtual_time
async def test_a_set_that_is_had_makes_an_unknown_key_invalid_though_the_fetch_before_failed():
    world = World(None, [JWK])
    assert await found(world) is ProviderUnavailable
    await asyncio.sleep(30)
    assert await found(world) is None
    assert await found(world, "other") is InvalidToken


@in_virtual_time
async def test_a_failed_fetch_takes_no_key_away():
    world = World([JWK], None)
    assert await found(world) is None
    await asyncio.sleep(30)
    assert await found(world, "other") is ProviderUnavailable
    assert await found(world) is None


@in_virtual_time
async def test_whoever_comes_while_it_is_fetched_waits_for_that_even_after_a_failure():
    world = World(None, [JWK], seconds=2.0)
    async with world.keys.kept():
        await asyncio.sleep(2.5)
        assert (await found(world), now()) == (ProviderUnavailable, 2.5)
        await asyncio.sleep(1.5)
        assert (await found(world), now()) == (None, pytest.approx(5.0))
    assert world.tenant.moments == [0.0, 3.0]


@in_virtual_time
async def test_who_waits_shares_the_fetch():
    world = World([JWK], seconds=1.0)
    assert await asyncio.gather(*(found(world) for _ in range(20))) == [None] * 20
    assert len(world.tenant.requests) == 1


@in_virtual_time
async def test_a_fetch_goes_on_though_who_asked_for_it_has_no_time_left_and_is_no_failure():
    world = World([JWK], [JWK, OTHER], seconds=0.5)
    assert await found(world) is None
    await asyncio.sleep(30)
    set_deadline(Deadline(now() + 1.2))  # 0.2 s, since a second is kept for the reply
    assert await found(world, "other") is ProviderUnavailable
    await asyncio.sleep(0.5)
    assert await found(world, "other") is None
    assert world.tenant.moments == [0.0, 30.5]
    assert world.counts.refreshes == {("jwks", "ok"): 2}


@in_virtual_time
async def test_a_tenant_that_says_nothing_is_asked_for_a_requests_time_and_then_counts_as_failed():
    world = World([JWK], seconds=99.0)
    for _ in range(20):  # each cut off by its own time, and none begins a fetch of its own
        set_deadline(Deadline(now() + 1.2))
        assert await found(world) is ProviderUnavailable
        await asyncio.sleep(0.2)
    assert world.counts.refreshes == {}
    await asyncio.sleep(1.1)
    assert world.counts.refreshes == {("jwks", "failed"): 1}
    set_deadline(Deadline(now() + 10.0))
    before = now()
    assert (await found(world), now()) == (ProviderUnavailable, before)
    assert len(world.tenant.moments) == 3


@in_virtual_time
async def test_it_is_kept_fresh_every_ten_minutes():
    world = World([JWK])
    async with world.keys.kept():
        await asyncio.sleep(1300)
    await asyncio.sleep(2000)
    assert world.tenant.moments == [0.0, 600.0, 1200.0]


@in_virtual_time
async def test_what_fails_is_tried_again_soon_and_then_less_often():
    world = World(*[None] * 7, [JWK])
    async with world.keys.kept():
        await asyncio.sleep(800)
    assert world.tenant.moments == [0.0, 1.0, 3.0, 8.0, 18.0, 48.0, 78.0, 108.0, 708.0]


@in_virtual_time
async def test_work_that_keeps_it_has_a_requests_time():
    world = World(None, seconds=99.0)
    async with world.keys.kept():
        await asyncio.sleep(8.9)
        assert world.counts.refreshes == {}
        await asyncio.sleep(0.2)  # a tenth of ten seconds is kept, as for a reply
        assert world.counts.refreshes == {("jwks", "failed"): 1}
    assert len(world.tenant.requests) == 3


def without(**fields: object) -> dict[str, object]:
    return {name: value for name, value in {**JWK, **fields}.items() if value is not None}


def small(bits: int) -> dict[str, object]:
    return Key("small", rsa.generate_private_key(public_exponent=65537, key_size=bits)).jwk


TAKEN = {
    "as published": JWK,
    "no use": without(use=None),
    "no algorithm": without(alg=None),
    "more than is needed": without(x5c=["x"], more={}),
}
NOT_TAKEN = {
    "an elliptic curve": without(kty="EC"),
    "no type": without(kty=None),
    "for encryption": without(use="enc"),
    "for another algorithm": without(alg="RS512"),
    "no id": without(kid=None),
    "an empty id": without(kid=""),
    "a number as id": without(kid=5),
    "no modulus": without(n=None),
    "no exponent": without(e=None),
    "a number as modulus": without(n=5),
    "a list as exponent": without(e=["AQAB"]),
    "a modulus that is no number": without(n="!" * 342),
    "an even exponent": without(e="Ag"),
    "a modulus of 1,024 bits": small(1024),
    "a modulus that is too long": without(n="A" * 4000 + JWK["n"]),
    "an exponent that is too long": without(e="A" * 4097),
    "a text": "key",
    "a list": [JWK],
    "nothing": None,
}


@pytest.mark.parametrize("name", TAKEN)
@in_virtual_time
async def test_keys_for_signatures_are_taken(name):
    assert await found(World([TAKEN[name]])) is None


@pytest.mark.parametrize("name", NOT_TAKEN)
@in_virtual_time
async def test_other_members_are_left_out_and_harm_no_other(name):
    world = World([NOT_TAKEN[name], OTHER])
    kid = NOT_TAKEN[name].get("kid", "x") if isinstance(NOT_TAKEN[name], dict) else "x"
    assert await found(world, "other") is None
    assert await found(world, kid if isinstance(kid, str) else "5") is InvalidToken
    only = World([NOT_TAKEN[name]])
    assert await found(only) is ProviderUnavailable


@pytest.mark.parametrize("content", [[], {}, {"keys": {}}, {"keys": None}, {"keys": []}, "keys"])
@in_virtual_time
async def test_what_is_no_key_set_is_a_failure(content):
    counts = Counts()
    keys = Keys(Tenant(lambda _: (200, content)).line(counts), now)
    with pytest.raises(ProviderUnavailable):
        await keys.find(KEY.kid)
    assert (keys.had_one, now()) == (False, 10.0)
    await asyncio.sleep(10.0)
    assert counts.refreshes == {("jwks", "failed"): 1}


@pytest.mark.parametrize("content", [[], {}, {"keys": {}}, {"keys": None}, {"keys": []}, "keys"])
@in_virtual_time
async def test_what_is_no_key_set_is_asked_for_again(content):
    answers = iter([content, {"keys": [JWK]}])
    keys = Keys(Tenant(lambda _: (200, next(answers))).line(Counts()), now)
    assert await keys.find(JWK["kid"]) is not None


@in_virtual_time
async def test_a_hundred_keys_are_looked_at():
    many = [{**JWK, "kid": f"key-{number}"} for number in range(101)]
    world = World(many)
    assert await found(world, "key-99") is None
    assert await found(world, "key-100") is InvalidToken


@in_virtual_time
async def test_a_key_that_stays_is_the_same_and_one_that_changes_is_not():
    changed = {**rsa_key("tenant-key-2").jwk, "kid": "other"}
    world = World([JWK, OTHER], [JWK, changed])
    await found(world)
    before = world.keys.known(KEY.kid), world.keys.known("other")
    await asyncio.sleep(30)
    await found(world, "nobody")
    assert world.keys.known(KEY.kid) is before[0]
    assert world.keys.known("other") not in (None, before[1])


@in_virtual_time
async def test_a_key_that_is_withdrawn_is_not_known():
    world = World([JWK, OTHER], [OTHER])
    await found(world)
    await asyncio.sleep(30)
    await found(world, "nobody")
    assert world.keys.known(KEY.kid) is None
