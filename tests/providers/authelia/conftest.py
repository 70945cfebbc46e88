# SPDX-License-Identifier: MIT
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from loguru import logger

from tests.stand_ins.certificates import Authority
from tests.support.authelia import Stage, populated, users_file, without_buckets
from tests.support.raw_client import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from nats.js import JetStreamContext


@pytest.fixture(scope="session", name="one_authority")
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Authority(tmp_path_factory.mktemp("authority")).file


@pytest.fixture(autouse=True)
def _one_trusted_authority(one_authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust one authority: to load those of the system takes longer than most of what a test does with a client."""
    monkeypatch.setenv("SSL_CERT_FILE", str(one_authority))


@pytest_asyncio.fixture
async def js(stage) -> AsyncIterator[JetStreamContext]:
    client = await connect(stage.url)
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


@pytest.fixture(name="log")
def _log() -> Iterator[list[str]]:
    """Every record of the log, as level, message and fields."""
    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message} {extra}")
    yield lines
    logger.remove(handler)
