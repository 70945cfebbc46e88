# SPDX-License-Identifier: MIT
"""Starts synchronisations: at start, after changes in storage, every five minutes, and soon after a failure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from loguru import logger

from app.domain.errors import ServiceError
from providers.authelia.cluster.kubernetes import KubernetesUnavailable
from providers.authelia.cluster.reconciler import TooManyConflicts
from providers.authelia.cluster.users_file import BadUsersFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from providers.authelia.cluster.pace import Pace
    from providers.authelia.cluster.reconciler import Reconciler

_LOOK: Final = 0.5


class Synchronisation:
    """Runs the reconciler when it is time.

    The watch is a plain subscription to what is written to the bucket: the client library renews it after a
    disconnection, and since what was written meanwhile is not told again, a run follows every reconnection.
    """

    def __init__(
        self, reconciler: Reconciler, client: Client, bucket: str, now: Callable[[], float], pace: Pace
    ) -> None:
        """Take what synchronises, the connection, the users' bucket, the clock (Unix seconds), and the times."""
        self._users = f"$KV.{bucket}."
        self.reconciler = reconciler
        self._client = client
        self._now = now
        self._pace = pace
        self._heard = False
        self.pending = 0
        self.failures = 0
        self.succeeded_at = 0.0
        self.fault = "not synchronised yet"

    async def watch(self) -> None:
        """Synchronise until cancelled. The connection stands when this begins."""
        await self._client.subscribe(f"{self._users}>", cb=self._changed)
        while True:
            # On a connection that was renewed the subscription comes before the first question of the run: a change
            # is either heard of or found.
            while not self._client.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
                await asyncio.sleep(_LOOK)
            reconnects, pending = self._client.stats["reconnects"], self.pending
            self._heard = False
            succeeded = await self.once()
            if succeeded:
                self.pending -= pending
            pauses = [self._pace.every if succeeded else self._pace.after_failure]
            if self.reconciler.next_restart is not None:
                pauses.append(self.reconciler.next_restart)
            await self._wait(min(pauses), reconnects)

    async def once(self) -> bool:
        """Synchronise now; return whether it succeeded. A failure is logged and shown."""
        try:
            await self.reconciler.run()
        except (ServiceError, KubernetesUnavailable, BadUsersFile) as error:
            return self._failed(str(error))
        except TooManyConflicts:
            return self._failed("too many conflicts")
        except Exception as error:  # noqa: BLE001 - an end of this task would be an end of synchronisation, unseen
            logger.opt(exception=error).error("synchronisation met what nobody expected")
            return self._failed(type(error).__name__)
        self.succeeded_at = self._now()
        self._tell(self.reconciler.left_alone, "synchronisation with Kubernetes left something alone")
        return True

    def _failed(self, fault: str) -> bool:
        self.failures += 1
        self._tell(fault, "synchronisation with Kubernetes failed")
        return False

    def _tell(self, fault: str, message: str) -> None:
        if fault and fault != self.fault:
            logger.warning(message, error=fault)
        self.fault = fault

    async def _wait(self, seconds: float, reconnects: int) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self._heard and self._client.stats["reconnects"] == reconnects:  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(min(_LOOK, self._pace.gather or _LOOK))
        if self._heard:
            await asyncio.sleep(self._pace.gather)

    async def _changed(self, message: Msg) -> None:
        if not message.subject.startswith(f"{self._users}lookup/"):
            self.pending += 1
            self._heard = True
