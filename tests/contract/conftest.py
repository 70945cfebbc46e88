"""Every test of the contract runs on every provider, in memory and over a real nats-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.transports import TRANSPORTS, Transport
from tests.support.worlds import WORLDS, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from app.runtime.nats_server import NatsServer


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return WORLDS[request.param](tmp_path)


@pytest.fixture(params=TRANSPORTS)
async def service(request: pytest.FixtureRequest, world: World, nats: NatsServer) -> AsyncIterator[Transport]:
    async with TRANSPORTS[request.param].serving(world, nats.url) as transport:
        yield transport
