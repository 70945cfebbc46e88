# SPDX-License-Identifier: MIT
"""Short messages to every replica of the service: a subject without a queue group; `app.domain.reads.Broadcast`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from loguru import logger

from app.bus.nats.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

NAME: Final = "internal.forget"
"""The subject without the prefix that all have."""

_FLUSH_TIME: Final = 2
"""Seconds, whole ones for the client library."""

TRY_AGAIN: Final = 30.0
"""Seconds between two checks whether a permission is still missing: it may be granted at any time."""

_UNLIMITED: Final = -1
"""Nothing is dropped: the callback never waits, so whatever arrived is dealt with at once."""


_PROBE: Final = b""
"""An empty message. If the permission is missing, NATS refuses it at once, and not at the first change."""


def _ignore(_: bytes) -> None:
    """Take no note."""


class Broadcast:
    """Sends messages to all replicas, and receives theirs."""

    def __init__(self, client: Client, subject: str) -> None:
        """Take the connection, not yet opened, and the subject."""
        self.subject = subject
        self._client = client
        self._stands = False
        self._refused = False
        self._refused_again = False
        self._trying: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self._heard: Callable[[bytes], None] = _ignore
        self._lost: Callable[[], None] = lambda: None
        self._back: Callable[[], None] = lambda: None

    @property
    def stands(self) -> bool:
        """Whether messages of others arrive here."""
        return self._stands

    @property
    def unheard(self) -> bool:
        """Whether messages have arrived for which `heard` was not called yet.

        Each subscription has a queue of its own, so a request that came later may be served before.
        """
        return self._subscription is not None and self._subscription.pending_msgs > 0

    def listen(self, heard: Callable[[bytes], None], lost: Callable[[], None], back: Callable[[], None]) -> None:
        """Have `heard` called with every message, `lost` when messages arrive no more, `back` when they do again."""
        self._heard, self._lost, self._back = heard, lost, back

    async def tell(self, message: bytes) -> bool:
        """Send a message; return whether the server has it. Raises nothing.

        Later messages arrive after this one, even if it returns False.
        """
        try:
            await self._client.publish(self.subject, message)
            await self._client.flush(_FLUSH_TIME)
        except Exception as error:  # noqa: BLE001 - whatever it is, the change stands
            logger.warning("other replicas could not be told of a change", error=repr(error))
            # It may be lost with the connection. Once more it stands in line before the reply, which goes on the next.
            with contextlib.suppress(Exception):
                await self._client.publish(self.subject, message)
            return False
        return True

    async def start(self) -> None:
        """Subscribe if anybody listens: on an open connection, before requests arrive, so that nothing is missed."""
        if self._heard is _ignore:
            return
        await self._subscribe()
        self._stands = not self._refused

    async def probe(self) -> None:
        """Find out whether messages may be sent. Raises nothing."""
        if self._heard is not _ignore:
            with contextlib.suppress(Exception):
                await self._client.publish(self.subject, _PROBE)

    def disconnected(self) -> None:
        """Take note that the connection is gone."""
        self._stands = self._refused = False
        if self._trying is not None:
            self._trying.cancel()
            self._trying = None
        self._lost()

    def reconnected(self) -> None:
        """Take note that the connection is there again, with its subscriptions."""
        self._stands = self._heard is not _ignore and not self._refused
        if self._stands:
            self._back()

    def refused(self, error: str) -> bool:
        """Take note of an error of the server; return whether it refuses messages here, or to send them.

        All replicas have the same NATS user. If one may not send, none may. It is logged once, until it works again or
        the connection is lost.
        """
        if refusal(error)[1] != self.subject.lower():
            return False
        self._refused_again = True
        if not self._refused:
            logger.error("replicas cannot tell each other of changes", error=error)
            self._refused, self._stands = True, False
            self._lost()
            if self._heard is not _ignore:
                self._trying = asyncio.get_running_loop().create_task(self._try_again(), name="broadcast")
        return True

    async def _try_again(self) -> None:
        """Find out from time to time whether messages may be sent and received again."""
        while self._refused:
            await asyncio.sleep(TRY_AGAIN)
            self._refused_again = False
            try:
                await self._subscribe()
            except Exception as error:  # noqa: BLE001 - the connection may go at any moment; then it is tried no more
                logger.debug("whether replicas can tell each other could not be found out", error=repr(error))
            else:
                self._refused = self._refused_again
        logger.info("replicas can tell each other of changes again")
        self._stands, self._trying = True, None
        self._back()

    async def _subscribe(self) -> None:
        """Subscribe, and return when the server has said what it refuses. A subscription from before ends then."""
        before, self._subscription = (
            self._subscription,
            await self._client.subscribe(
                self.subject, cb=self._on_message, pending_msgs_limit=_UNLIMITED, pending_bytes_limit=_UNLIMITED
            ),
        )
        if before is not None:
            await before.unsubscribe()
        await self._client.publish(self.subject, _PROBE)
        await self._client.flush(_FLUSH_TIME)

    async def _on_message(self, message: Msg) -> None:
        if message.data != _PROBE:
            self._heard(message.data)
