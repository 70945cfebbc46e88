# SPDX-License-Identifier: MIT
"""The private part of FastStream that the service uses: the one method by which a broker connects.

`tests/bus/test_faststream_surface.py` pins it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from faststream.nats import NatsBroker

if TYPE_CHECKING:
    from nats.aio.client import Client


class ConnectingBroker(NatsBroker):
    """A broker that is handed its connection.

    FastStream makes one of the arguments of `nats.connect`, with an error callback that raises what it takes for
    final: a client whose callback raises while it reconnects stays where it is for ever.
    """

    @abstractmethod
    async def open(self) -> Client:
        """Return a client that is connected. May raise what nats-py raises."""

    async def _connect(self) -> Client:
        client = await self.open()
        self.config.connect(client)
        return client
