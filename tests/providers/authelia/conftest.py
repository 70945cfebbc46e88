# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import TYPE_CHECKING

import nats as nats_py
import pytest_asyncio

from tests.support.authelia import Stage, populated, users_file, without_buckets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.js import JetStreamContext


@pytest_asyncio.fixture
async def js(stage) -> AsyncIterator[JetStreamContext]:
    client = await nats_py.connect(stage.url)
    await without_buckets(client.jetstream())
    yield client.jetstream()
    await without_buckets(client.jetstream())
    await client.close()


@pytest_asyncio.fixture(name="stage")
async def _stage(nats) -> AsyncIterator[Stage]:
    async with Stage(nats.url).serving() as stage:
        stage.kubernetes.file = users_file()
        yield stage


@pytest_asyncio.fixture
async def people(js) -> None:
    await populated(js)
