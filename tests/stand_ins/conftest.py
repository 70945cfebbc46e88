# SPDX-License-Identifier: MIT
"""One tenant for all of its own tests, as new for each."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jose import jwt

from tests.stand_ins.auth0 import Tenant, TenantServer, auth0_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Api:
    """A plain client of the tenant, which knows the documented calls and nothing of the stand-in's inside."""

    http: httpx.Client
    domain: str
    m2m_key: str
    jtis: int = 0
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def assertion(self, **claims: Any) -> str:
        self.jtis += 1
        now = int(time.time())
        good = {"iss": "m2m-client", "sub": "m2m-client", "aud": f"https://{self.domain}/", "iat": now, "exp": now + 60}
        given = {**good, "jti": f"jti-{self.jtis}", **claims}
        return jwt.encode({key: value for key, value in given.items() if value is not None}, self.m2m_key, "RS256")

    def m2m(self, **fields: Any) -> httpx.Response:
        good = {
            "grant_type": "client_credentials",
            "client_id": "m2m-client",
            "audience": f"https://{self.domain}/api/v2/",
            "client_assertion_type": ASSERTION_TYPE,
        }
        return self.http.post("/oauth/token", json={"client_assertion": self.assertion(), **good, **fields})

    def call(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """Call the Management API, with the M2M token unless another is given."""
        if token is None:
            self.token = self.token or self.m2m().json()["access_token"]
            token = self.token
        return self.http.request(method, f"/api/v2{path}", headers={"Authorization": f"Bearer {token}"}, **more)

    def search(self, query: str, **more: str) -> list[str]:
        reply = self.call("GET", "/users", params={"q": query, "search_engine": "v3", **more})
        assert reply.status_code == 200, reply.text
        return [user["user_id"] for user in reply.json()]


@pytest.fixture(scope="session")
def running() -> Iterator[TenantServer]:
    with auth0_tenant() as server:
        yield server


@pytest.fixture
def server(running: TenantServer) -> TenantServer:
    running.reset()
    return running


@pytest.fixture
def tenant(server: TenantServer) -> Tenant:
    return server.tenant


@pytest.fixture
def api(tenant: Tenant) -> Iterator[Api]:
    context = ssl.create_default_context(cafile=tenant.environment()["SSL_CERT_FILE"])
    with httpx.Client(base_url=f"https://{tenant.domain}", verify=context, timeout=30) as http:
        yield Api(http, tenant.domain, tenant.clients.key.pem.decode())
