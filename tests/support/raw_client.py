# SPDX-License-Identifier: MIT
"""A plain connection to NATS for tests: when its `flush` returns, the server has all that was sent before.

nats-py's own client lets the PING of `flush` overtake what waits to be sent. And it gives a request half a second by
default, a connection two, a call of JetStream five and a flush ten: a busy machine takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.bus.nats.client import DecodingClient
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext


class _PatientClient(DecodingClient):
    async def request(self, *given: Any, **options: Any) -> Msg:
        return await super().request(*given, **{"timeout": PATIENCE, **options})

    async def flush(self, timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - as nats-py has it
        await super().flush(timeout)

    def jetstream(self, **options: Any) -> JetStreamContext:
        return super().jetstream(**{"timeout": PATIENCE, **options})


async def connect(servers: str | list[str], **options: Any) -> DecodingClient:
    """Return a connection; `options` are those of `nats.connect`."""
    client = _PatientClient()
    await client.connect(servers, **{"connect_timeout": PATIENCE, **options})
    return client
