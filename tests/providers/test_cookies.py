# SPDX-License-Identifier: MIT
"""No client keeps a cookie: what a server sets for one user's request does not come with the next one's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from app.observability.upstream_metrics import UpstreamTelemetry
from app.settings.authelia import AutheliaSettings
from providers.auth0.events.stream import open_stream_client
from providers.authelia.callers import Userinfo
from providers.authelia.cluster.api import Api
from providers.authelia.cluster.kubernetes import Cluster
from providers.http import library_client, make_transport, open_client
from tests.stand_ins.http import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that sets cookies, by name and not by address, for which some clients keep none; and what came back."""
    came: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        came.extend(request.headers.getall("Cookie", ["none"]))
        answer = {"preferred_username": "ada", "sub": "s", "gitVersion": "v1.34.0", "major": "1", "minor": "34"}
        return web.json_response(answer, headers={"Set-Cookie": "session=ada; Path=/"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with listening(app) as url:
        yield url.replace("127.0.0.1", "localhost"), came


async def _userinfo(url: str) -> None:
    async with open_client(8) as client:
        for token in ("authelia_at_ada", "authelia_at_grace"):
            await Userinfo(client, f"{url}/api/oidc/userinfo", UpstreamTelemetry(CollectorRegistry())).of(token)


@asynccontextmanager
async def _cluster(url: str) -> AsyncIterator[Cluster]:
    settings = AutheliaSettings(userinfo_url="http://127.0.0.1/")
    cluster = Cluster(
        settings, 5.0, UpstreamTelemetry(CollectorRegistry()), lambda namespace: Api(url=url, namespace=namespace)
    )
    yield cluster
    await cluster.close()


async def test_userinfo(server):
    url, came = server
    await _userinfo(url)
    assert came == ["none", "none"]


@pytest.mark.parametrize(
    "opened",
    [
        lambda: open_stream_client(lambda: None),
        lambda: library_client(make_transport(2), httpx.Timeout(30)),
    ],
    ids=["the event stream", "auth-service tenant"],
)
async def test_a_library_that_sends_by_itself(server, opened):
    url, came = server
    async with opened() as client:
        await client.get(url)
        async with client.stream("GET", url) as response:
            await response.aread()
    assert came == ["none", "none"]


async def test_kubernetes(server):
    url, came = server
    async with _cluster(url) as cluster:
        await cluster.configmap()
        await cluster.secret()
    assert came == ["none", "none"]
