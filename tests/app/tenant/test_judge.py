# SPDX-License-Identifier: MIT
"""Auth0's own library as the judge of what the service sends: method, path, query and body of each operation."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from auth0.management import AsyncAuth0

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
