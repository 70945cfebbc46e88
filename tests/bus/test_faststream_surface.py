# SPDX-License-Identifier: MIT
# ruff: noqa: SLF001 - the library's inner life is what is shown here
"""What is used of FastStream beyond its public interface: `app/bus/faststream_inside.py` and nothing else.

When one of these fails after a new release, look there and at FastStream's `nats/broker/broker.py`.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version

from faststream.nats import NatsBroker

from app.bus.faststream_inside import ConnectingBroker
from tests.bus.subjects import broker_of

LOOK = "FastStream changed; look at app/bus/faststream_inside.py"


def test_the_release_is_one_that_was_looked_at():
    assert version("faststream").startswith("0.7."), LOOK


def test_a_broker_connects_where_ours_does():
    assert inspect.iscoroutinefunction(NatsBroker._connect), LOOK
    assert set(inspect.signature(NatsBroker._connect).parameters) == {"self"}, LOOK
    assert "self._connection = await self._connect()" in inspect.getsource(NatsBroker.connect), LOOK
    assert ConnectingBroker._connect is not NatsBroker._connect


async def test_a_broker_is_handed_its_connection(nats):
    async def shout(text: str) -> str:
        """Answer."""
        return text.upper() + "!"

    broker = broker_of(nats.url, shout)
    try:
        await broker.start()
        assert (await broker.request(b"12345", "lfx.auth-service.test.0", timeout=30)).body == b"12345!", LOOK
    finally:
        await broker.stop()
