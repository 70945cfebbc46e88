# SPDX-License-Identifier: MIT
"""How a call becomes a request, in whose name, who is told of what it changes, and which reads share one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.domain.errors import InvalidToken, ProviderUnavailable, UpdateFailed, UserNotFound
from providers.auth0.tenant.calls import Call, Kind
from providers.auth0.tenant.client import Http, Line, TenantClient
from providers.auth0.tenant.errors import CredentialsRefused
from providers.auth0.tenant.limiter import Lane
from tests.providers.auth0.conftest import Counts
from tests.support.auth0_line import Tenant
from tests.support.virtual_time import in_virtual_time

READ = Kind("get_user", Lane.READ)
WRITE = Kind("update_user", Lane.WRITE, once=True, writes=True)
TOKEN = SecretStr("callers.own.token")


class World:
    """A tenant, those who call it, and what else they tell."""

    def __init__(self, *statuses: int, seconds: float = 0.0) -> None:
        left = [*statuses]
        self.tenant = Tenant(lambda _: (left.pop(0) if len(left) > 1 else left[0], {}), seconds)
        self.counts = Counts()
        self.noted: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.tokens, self.discarded = ["own-1", "own-2", "own-3"], []
        self.refused = False
        self.calling = TenantClient(self.tenant.line(self.counts), self, self)

    async def token(self) -> str:
        if self.refused:
            raise CredentialsRefused("own token refused with status 401")
        return self.tokens[0]

    def discard(self, token: str) -> None:
        self.discarded.append(token)
        self.tokens.remove(token)

    def note(self, *user_ids: str, addresses: Any = ()) -> None:
        self.noted.append((user_ids, tuple(addresses)))

    def bearers(self) -> list[str | None]:
        return [request.headers.get("authorization") for request in self.tenant.requests]


def call(kind: Kind = READ, **more: Any) -> Call:
    return Call(**{"kind": kind, "method": "GET", "path": "/api/v2/users/a%7Cb", "fallback": UpdateFailed, **more})


@in_virtual_time
async def test_a_call_is_sent_as_it_stands():
    world = World(200)
    answer = await world.calling.call(
        call(params={"q": "a b|c", "n": "é&"}, json={"a": ["é"]}, method="PATCH", token=TOKEN)
    )
    [request] = world.tenant.requests
    assert request.method == "PATCH"
    assert str(request.url) == "https://tenant.example/api/v2/users/a%7Cb?q=a%20b%7Cc&n=%C3%A9%26"
    assert request.content in ('{"a":["é"]}'.encode(), '{"a": ["é"]}'.encode())
    wanted = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "lfx-v2-auth-service",
        "authorization": "Bearer callers.own.token",
        "content-type": "application/json",
    }
    assert {name: request.headers.get(name) for name in wanted} == wanted
    assert request.extensions["timeout"] == {"connect": 2.5, "read": 3.0, "write": 3.0, "pool": 3.0}
    assert (answer.status, answer.headers, answer.json()) == (200, {}, {})


@in_virtual_time
async def test_a_form_is_made_anew_for_each_attempt():
    world, made = World(503, 200), []

    def form() -> dict[str, str]:
        made.append(1)
        return {"a": f"é {len(made)}"}

    await world.calling.call(call(form=form, method="POST", anonymous=True))
    assert [request.content for request in world.tenant.requests] == [b"a=%C3%A9+1", b"a=%C3%A9+2"]
    assert world.bearers() == [None, None]
    assert str(world.tenant.requests[0].url) == "https://tenant.example/api/v2/users/a%7Cb"


@in_virtual_time
async def test_the_trace_goes_along():
    tenant = Tenant(lambda _: (200, {}))
    line = tenant.line(Counts())
    http = Http(
        httpx.AsyncClient(transport=httpx.MockTransport(tenant)), "tenant.example:8443", lambda: {"Traceparent": "00-1"}
    )
    await TenantClient(Line(http, line.retries, line.budget, line.upstream), World(200), World(200)).call(call())
    assert tenant.requests[0].headers["traceparent"] == "00-1"
    assert tenant.requests[0].url.port == 8443


@in_virtual_time
async def test_of_a_refusal_the_headers_that_tell_of_pauses_are_kept():
    def answer(_: httpx.Request) -> httpx.Response:
        date = "Sun, 17 Mar 2030 17:46:40 GMT"
        return httpx.Response(400, headers={"Retry-After": "7", "Date": date, "X-Other": "x"}, content=b"no")

    http = Http(httpx.AsyncClient(transport=httpx.MockTransport(answer)), "tenant.example")
    told = await http.send(call(), "")
    kept = {"retry-after": "7", "x-ratelimit-reset": "", "date": "Sun, 17 Mar 2030 17:46:40 GMT"}
    assert (told.status, told.body, told.headers) == (400, b"no", kept)


@in_virtual_time
async def test_an_own_token_that_is_refused_is_replaced_once():
    world = World(401, 200)
    assert (await world.calling.call(call())).ok
    assert world.bearers() == ["Bearer own-1", "Bearer own-2"]
    assert world.discarded == ["own-1"]
    ever = World(401)
    with pytest.raises(UpdateFailed):
        await ever.calling.call(call())
    assert ever.discarded == ["own-1"]
    assert len(ever.tenant.requests) == 2


@pytest.mark.parametrize("more", [{"token": TOKEN}, {"anonymous": True}])
@in_virtual_time
async def test_another_token_that_is_refused_is_not(more):
    world = World(401)
    with pytest.raises(InvalidToken if "token" in more else UpdateFailed):
        await world.calling.call(call(**more))
    assert (len(world.tenant.requests), world.discarded) == (1, [])


@in_virtual_time
async def test_without_a_token_of_its_own_the_call_fails_as_it_says_and_why():
    world = World(200)
    world.refused = True
    with pytest.raises(UpdateFailed) as raised:
        await world.calling.call(call())
    assert str(raised.value.__cause__) == "get_user failed: own token refused with status 401"
    assert world.tenant.requests == []


@in_virtual_time
async def test_a_refusal_passes_where_the_call_lets_it():
    world = World(404)
    assert (await world.calling.call(call(passes=frozenset({404})))).status == 404
    with pytest.raises(UserNotFound):
        await world.calling.call(call())


@pytest.mark.parametrize("status", [200, 400, 500])
@in_virtual_time
async def test_whom_a_call_concerns_is_told_however_it_ends(status):
    world = World(status)
    try:
        await world.calling.call(call(WRITE, touches=("auth0|a", "auth0|b"), addresses=("a@b.c",)))
    except (UpdateFailed, ProviderUnavailable):
        assert status != 200
    assert world.noted == [(("auth0|a", "auth0|b"), ("a@b.c",))]


@in_virtual_time
async def test_addresses_alone_are_told_and_of_nothing_nothing_is():
    world = World(200)
    await world.calling.call(call(WRITE, addresses=("a@b.c",)))
    await world.calling.call(call(WRITE))
    assert world.noted == [((), ("a@b.c",))]


async def _shared(world: World, key: str = "ada") -> None:
    assert (await world.calling.shared(call(path=f"/api/v2/users/{key}"))).status in {200, 400}


@in_virtual_time
async def test_reads_of_one_thing_share_a_call():
    world = World(200, seconds=1.0)
    await asyncio.gather(_shared(world), _shared(world), _shared(world, "eda"))
    assert len(world.tenant.requests) == 2
    assert world.counts.shared == {"get_user": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"kind": Kind("search_users", Lane.READ)},
        {"method": "HEAD"},
        {"path": "/api/v2/users-by-email"},
        {"params": {"email": "ada@example.org"}},
        {"params": {"q": 'email:"ada@example.org"'}},
        {"fallback": UserNotFound},
        {"special": {400: UserNotFound}},
        {"passes": frozenset((400,))},
        {"token": TOKEN},
        {"anonymous": True},
    ],
    ids=" ".join,
)
@in_virtual_time
async def test_reads_that_differ_in_anything_share_no_call(other):
    world = World(200, seconds=1.0)
    await asyncio.gather(world.calling.shared(call()), world.calling.shared(call(**other)))
    assert (len(world.tenant.requests), world.counts.shared) == (2, {})


@pytest.mark.parametrize(("after", "calls"), [(0.05, 1), (0.06, 2)])
@in_virtual_time
async def test_a_read_joins_what_was_sent_within_fifty_milliseconds(after, calls):
    world = World(200, seconds=1.0)
    first = asyncio.create_task(_shared(world))
    await asyncio.sleep(after)
    await asyncio.gather(_shared(world), first)
    assert (len(world.tenant.requests), world.counts.shared["get_user"]) == (calls, 2 - calls)


@pytest.mark.parametrize("change", ["a write", "a write that fails", "told"])
@in_virtual_time
async def test_a_read_after_a_change_joins_none_from_before(change):
    world = World(200 if change != "a write that fails" else 400, seconds=0.01)
    first = asyncio.create_task(_shared(world))
    await asyncio.sleep(0)
    if change == "told":
        world.calling.changed()
    else:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(world.calling.call(call(WRITE)), 0.005)
    second = asyncio.create_task(_shared(world))
    await asyncio.gather(first, second, return_exceptions=True)
    assert world.counts.shared == {}


@pytest.mark.parametrize("by_write", [True, False])
@in_virtual_time
async def test_a_read_between_two_changes_is_joined_by_none_after_both(by_write):
    world = World(200, seconds=0.04)

    async def change() -> None:
        if by_write:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(world.calling.call(call(WRITE)), 0.005)
        else:
            world.calling.changed()

    await change()
    between = asyncio.create_task(_shared(world))
    await asyncio.sleep(0)
    await change()
    await asyncio.gather(between, _shared(world))
    assert world.counts.shared == {}


@in_virtual_time
async def test_a_read_after_another_read_joins_it():
    world = World(200, seconds=0.04)
    first = asyncio.create_task(_shared(world))
    other = asyncio.create_task(world.calling.call(call()))
    await asyncio.sleep(0.02)
    await asyncio.gather(first, other, _shared(world))
    assert world.counts.shared == {"get_user": 1}
