# SPDX-License-Identifier: MIT
"""Every test of the contract runs on every provider, in memory and over a real nats-server.

One event loop a module: cases that change nothing share a world (`shared`), all else gets one of its own (`fresh`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.support.contract import Place
from tests.support.ports import nats_server
from tests.support.transports import TRANSPORTS
from tests.support.worlds import WORLDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from app.cli.dev.nats_server import NatsServer
    from tests.support.transports import Transport


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what does not hold; keep together what shares a world, in random order too."""

    def holds(item: pytest.Item) -> bool:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        name, case = parameters.get("world_name"), parameters.get("case")
        marker = item.get_closest_marker("only_on")
        limits = [] if marker is None else [marker.args]
        if case is not None:
            limits += [] if case.on is None else [case.on]
            if name is not None and case.as_ in WORLDS[name].absent:
                return False
        return name is None or all(name in limit for limit in limits)

    def world(item: pytest.Item) -> tuple[object, ...]:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        name = parameters.get("world_name")
        return (item,) if name is None else (item.path, name, parameters.get("transport_name"))

    items[:] = [item for item in items if holds(item)]
    seen = {key: place for place, key in enumerate(dict.fromkeys(map(world, items)))}
    items.sort(key=lambda item: seen[world(item)])


@pytest.fixture(scope="session")
def another_nats() -> Iterator[NatsServer]:
    """A server where a service does not share the queue group with the one that cases share."""
    with nats_server() as server:
        yield server


@pytest.fixture(scope="module", params=WORLDS)
def world_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module", params=TRANSPORTS)
def transport_name(request: pytest.FixtureRequest) -> str:
    return request.param


@asynccontextmanager
async def _place(
    world_name: str, transport_name: str, nats: NatsServer, folders: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    world = WORLDS[world_name](folders.mktemp(world_name))
    async with TRANSPORTS[transport_name].serving(world, nats.url) as service:
        yield Place(world, service)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(world_name, transport_name, nats, tmp_path_factory) -> AsyncIterator[Place]:
    async with _place(world_name, transport_name, nats, tmp_path_factory) as place:
        yield place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(transport_name, another_nats) -> AsyncIterator[Transport]:
    async with TRANSPORTS[transport_name].standing(another_nats.url) as transport:
        yield transport


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(world_name, standing, another_nats, tmp_path_factory) -> AsyncIterator[Place]:
    world = WORLDS[world_name](tmp_path_factory.mktemp(world_name))
    async with standing.answering(world, another_nats.url):
        yield Place(world, standing)


@pytest_asyncio.fixture(loop_scope="module")
async def over_nats(world_name, another_nats, tmp_path_factory) -> AsyncIterator[Place]:
    async with _place(world_name, "nats", another_nats, tmp_path_factory) as place:
        yield place
