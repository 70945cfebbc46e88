# SPDX-License-Identifier: MIT
"""Who shares work waits for as long as its own time lasts: stated in seconds, which pass at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.domain.deadline import Deadline, set_deadline
from app.domain.errors import ProviderUnavailable, RateLimited, ServiceError, UserNotFound
from app.domain.reads import UNHEARD
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.client import TenantClient
from providers.auth0.tenant.limiter import Lane
from providers.auth0.tokens.credentials import Assertions, Credentials
from providers.auth0.tokens.keys import Keys
from tests.providers.auth0.conftest import Counts
from tests.stand_ins.auth0.keys import rsa_key
from tests.support.auth0_line import Tenant, unix
from tests.support.virtual_time import in_virtual_time, now

if TYPE_CHECKING:
    import httpx

KEY = rsa_key("tenant-key-1")
USER = Call(kind=Kind("get_user", Lane.READ), method="GET", path="/api/v2/users/a%7Cb", fallback=UserNotFound)
PATHS = {"user": "/api/v2/users/a|b", "token": "/oauth/token", "keys": "/.well-known/jwks.json"}
CONTENTS = {
    PATHS["user"]: {"user_id": "a|b"},
    PATHS["token"]: {"access_token": "own", "expires_in": 3600},
    PATHS["keys"]: {"keys": [KEY.jwk]},
}
TROUBLES = {
    "503": (503, {}),
    "429": (429, {}),
    "429 for 5 s": (429, {}, {"Retry-After": "5"}),
    "429 beyond the time": (429, {}, {"Retry-After": "10"}),
    "503 beyond the time": (503, {}, {"Retry-After": "12"}),
}
WANTED = {"read": "user", "read that needs a token": "token", "token": "token", "keys": "keys"}
"""What is asked for, and what of the tenant's fails."""
OPERATIONS = {"user": "get_user", "token": "m2m_token", "keys": "jwks"}


class World:
    """A tenant that fails to answer what is asked on some paths, until a moment."""

    def __init__(self, trouble: str, failing: str, until: float) -> None:
        self.trouble, self.until, self.failing = trouble, until, PATHS[failing]
        self.counts = Counts()
        self.tenant = Tenant(self.answer)
        line = self.tenant.line(self.counts)
        assertions = Assertions("client", KEY.private, "https://tenant.example/", unix)
        self.credentials = Credentials(line, assertions, {}, unix)
        self.calling = TenantClient(line, self.credentials, UNHEARD)
        self.keys = Keys(line, now)

    def answer(self, request: httpx.Request) -> tuple[object, ...]:
        if request.url.path == self.failing and now() < self.until:
            return TROUBLES[self.trouble]
        return 200, CONTENTS[request.url.path]

    async def ask(self, what: str, seconds: float = 10.0) -> tuple[object, float]:
        """Return what a request with so many seconds gets, or the error, and when it got that."""
        set_deadline(Deadline(now() + seconds))
        try:
            if what == "keys":
                await self.keys.find(KEY.kid)
            elif what == "token":
                await self.credentials.token()
            else:
                await self.calling.shared(USER)
        except ServiceError as error:
            return error, now()
        return "found", now()


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("what", WANTED)
@in_virtual_time
async def test_one_whose_time_ends_ends_nothing_for_another(what, trouble):
    """The first has until 9.0, the other until 17.9, and the tenant answers from 9.5 on."""
    world = World(trouble, WANTED[what], until=9.5)
    first = asyncio.create_task(world.ask(what))
    await asyncio.sleep(8.9)
    second = asyncio.create_task(world.ask(what))
    error, moment = await first
    assert (type(error), moment) == (RateLimited if "429" in trouble else ProviderUnavailable, pytest.approx(9.0))
    found, moment = await second
    assert found == "found"
    assert 9.5 <= moment <= 13.5
    assert world.counts.shared["get_user"] == (what.startswith("read"))


@pytest.mark.parametrize("trouble", ["503", "429"])
@pytest.mark.parametrize("what", WANTED)
@in_virtual_time
async def test_who_can_wait_no_longer_is_told_why(what, trouble):
    world = World(trouble, WANTED[what], until=60.0)
    error, moment = await world.ask(what)
    assert str(error.__cause__) == f"{OPERATIONS[WANTED[what]]} failed: status {trouble}"
    assert moment == pytest.approx(9.0)


@pytest.mark.parametrize("what", WANTED)
@in_virtual_time
async def test_who_gets_no_answer_at_all_is_told_so(what):
    """Also if not one attempt had all its time."""
    world = World("503", WANTED[what], until=0.0)
    world.tenant.seconds = 60.0
    error, moment = await world.ask(what, 3.0)
    operation = "m2m_token" if what == "read" else OPERATIONS[WANTED[what]]
    assert (type(error), str(error.__cause__)) == (ProviderUnavailable, f"{operation} failed: TimeoutError")
    assert moment == pytest.approx(2.0)


@in_virtual_time
async def test_who_waits_for_a_limit_that_another_call_met_is_told_so():
    world = World("429 beyond the time", "user", until=60.0)
    first = asyncio.create_task(world.ask("read"))
    await asyncio.sleep(1.0)
    set_deadline(Deadline(now() + 5.0))
    with pytest.raises(RateLimited) as raised:
        await world.calling.shared(replace(USER, path="/api/v2/users/c%7Cd"))
    assert str(raised.value.__cause__) == "get_user failed: a limit that another call has met"
    error, _ = await first
    assert str(error.__cause__) == "get_user failed: status 429"
