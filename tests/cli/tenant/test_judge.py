# SPDX-License-Identifier: MIT
"""Auth0's own library as the judge: of what the service sends, by method, path, query and body, and of the stand-in."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from auth0.management import AsyncAuth0
from auth0.management.core.api_error import ApiError

from tests.contract.following import followed
from tests.contract.test_auth0 import EXCHANGES, READS, SCOPED, TOKENS
from tests.support.auth0 import Auth0World
from tests.support.contract import TOKEN, Place
from tests.support.transports import InMemory

ADA = "auth0|ada/b"
MINE = {
    "get": ("GET", "/api/v2/users/auth0%7Cada%2Fb", {}, None),
    "by e-mail": ("GET", "/api/v2/users-by-email", {"email": "ada@example.org"}, None),
    "create": ("POST", "/api/v2/users", {}, {"connection": "email", "email": "a@b.org", "email_verified": True}),
    "update": ("PATCH", "/api/v2/users/auth0%7Cada%2Fb", {}, {"user_metadata": {"city": "Oslo"}}),
    "delete": ("DELETE", "/api/v2/users/auth0%7Cada%2Fb", {}, None),
    "link by token": ("POST", "/api/v2/users/auth0%7Cada%2Fb/identities", {}, {"link_with": "x.y.z"}),
    "link by id": ("POST", "/api/v2/users/auth0%7Cada%2Fb/identities", {}, {"provider": "email", "user_id": "1"}),
    "unlink": ("DELETE", "/api/v2/users/auth0%7Cada%2Fb/identities/github/47%2F11", {}, None),
}
"""What the service sends, as `contract/auth0.md` has it."""

CALLS = {
    "get": lambda api: api.users.get(ADA),
    "by e-mail": lambda api: api.users.list_users_by_email(email="ada@example.org"),
    "create": lambda api: api.users.create(connection="email", email="a@b.org", email_verified=True),
    "update": lambda api: api.users.update(ADA, user_metadata={"city": "Oslo"}),
    "delete": lambda api: api.users.delete(ADA),
    "link by token": lambda api: api.users.identities.link(ADA, link_with="x.y.z"),
    "link by id": lambda api: api.users.identities.link(ADA, provider="email", user_id="1"),
    "unlink": lambda api: api.users.identities.delete(ADA, "github", "47/11"),
}


@pytest.mark.parametrize("operation", MINE)
async def test_the_library_sends_what_the_service_sends(operation):
    sent = []

    def answer(request):
        sent.append(request)
        return httpx.Response(404, json={"statusCode": 404})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport) as client:
        api = AsyncAuth0(base_url="https://x.example/api/v2", token="t", httpx_client=client, max_retries=0)
        with pytest.raises(Exception, match="status_code: 404"):
            await CALLS[operation](api)
    url = urlsplit(str(sent[0].url))
    body = json.loads(sent[0].content) if sent[0].content else None
    assert (sent[0].method, url.path, dict(parse_qsl(url.query)), body) == MINE[operation]


async def usual(world):
    """The contract's cases, and a way through the subjects."""
    async with InMemory.serving(world, "nats://127.0.0.1:1") as service:
        place = Place(world, service)
        for case in [*READS, *EXCHANGES, *TOKENS[::7], *SCOPED]:
            await case.run(place)
        await followed(place)


async def failing_alias(world):
    """An alias whose linking fails, so that the user that was made for it is removed again."""
    async with InMemory.serving(world, "nats://127.0.0.1:1") as service:
        world.tenant.faults.status(400, "identities.link", {"statusCode": 400, "message": "no"})
        ask = {"user": {"auth_token": TOKEN}, "alias": "joan", "domain": "linux.com"}
        assert (await Place(world, service).ask("add_alias", ask))["success"] is False


NINE = {
    "users.get",
    "users-by-email",
    "users.search",
    "users.create",
    "users.update",
    "users.delete",
    "identities.link token",
    "identities.link id",
    "identities.unlink",
}
PAGED = {"page": "0", "per_page": "50", "include_totals": "true"}
"""What the library adds to a search, which the service does not page."""


def kind(exchange):
    """An exchange's operation; a link is two, with a token or with an id."""
    if exchange.operation != "identities.link":
        return exchange.operation
    return f"identities.link {'token' if 'link_with' in exchange.fields() else 'id'}"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What the service sends for the contract's cases, each request once, and what it was answered."""
    found = {}
    for number, cases in enumerate((usual, failing_alias)):
        world = Auth0World(tmp_path_factory.mktemp(f"judge{number}"))
        asyncio.run(cases(world))
        for one in list(world.tenant.records.exchanges):
            if one.path.startswith("/api/v2/users"):
                found.setdefault((one.method, one.path, str(one.query), one.body, one.status), one)
    return list(found.values())


SAME = {
    "users.get": lambda users, _, who: users.get(who),
    "users-by-email": lambda users, one: users.list_users_by_email(**one.query),
    "users.search": lambda users, one: users.list(**one.query),
    "users.create": lambda users, one: users.create(**one.fields()),
    "users.update": lambda users, one, who: users.update(who, **one.fields()),
    "users.delete": lambda users, _, who: users.delete(who),
    "identities.link": lambda users, one, who, _: users.identities.link(who, **one.fields()),
    "identities.unlink": lambda users, _, who, __, *identity: users.identities.delete(who, *identity),
}
"""The library's call for what was asked, its operation with the segments of its path."""


async def judged(exchange):
    """What the library sends for that, and what it makes of the answer; None of a refusal."""
    sent = []
    content = json.loads(exchange.sent or b"null")
    if exchange.operation == "users.search" and isinstance(content, list):
        content = {"users": content, "start": 0, "limit": 50, "length": len(content), "total": len(content)}

    def answer(request):
        sent.append(request)
        return httpx.Response(exchange.status, **({} if content is None else {"json": content}))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        api = AsyncAuth0(base_url="https://x.example/api/v2", token="t", httpx_client=client, max_retries=0)
        segments = [unquote(part) for part in exchange.path.split("/")[4:]]
        refused = nullcontext() if 200 <= exchange.status < 300 else pytest.raises(ApiError)
        understood = None
        with refused:
            understood = await SAME[exchange.operation](api.users, exchange, *segments)
    return sent[0], understood


def as_json(body):
    return json.loads(body) if body else None


async def test_every_request_that_was_recorded_is_what_the_library_sends(recorded):
    assert {kind(one) for one in recorded} == NINE
    for one in recorded:
        request, _ = await judged(one)
        url = urlsplit(str(request.url))
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        added = PAGED if one.operation == "users.search" else {}
        assert (request.method, url.path, query) == (one.method, one.path, {**one.query, **added})
        assert as_json(request.content) == as_json(one.body)


async def test_every_answer_that_was_recorded_is_one_of_the_librarys_models(recorded):
    understood = {}
    for one in recorded:
        _, model = await judged(one)
        if 200 <= one.status < 300:
            understood.setdefault(kind(one), []).append((model, as_json(one.sent)))
    assert understood.keys() == NINE
    for model, content in understood["users.get"] + understood["users.update"] + understood["users.create"]:
        assert model.user_id == content["user_id"]
        assert [(one.provider, one.user_id) for one in model.identities] == [
            (one["provider"], one["user_id"]) for one in content["identities"]
        ]
