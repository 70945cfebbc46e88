# SPDX-License-Identifier: MIT
"""The state of the event stream, as this replica knows it, and its counters."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from providers.auth0.events.stream import SILENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD_EVERY: Final = 0.5
BELIEVED_FOR: Final = 1.8
"""Seconds without a message from the reader after which the stream counts as down: the reader may have died, and
changes must be visible within two seconds."""

GRACE: Final = 1.0
"""Seconds in which a closed stream can open again before the others are told that it is down."""

NAME: Final = "auth_service_auth0_events_"


class Standing:
    """The state of the stream, for any thread. Times are those of its event loop's clock (seconds)."""

    def __init__(self) -> None:
        """Begin without any message of a stream."""
        self._now = asyncio.get_running_loop().time
        self._believed_until = 0.0
        self._opened = self._closed = -math.inf
        self._connections = 0
        self.open = False
        """Whether this replica reads a stream."""
        self.said = -math.inf
        """Time of its last output."""
        self.received = self.odd = self.refused = self.leases = 0

    @property
    def stands(self) -> bool:
        """Whether any replica reads the stream, with output in the last minute."""
        return self._now() < self._believed_until

    @property
    def reads_on(self) -> bool:
        """Whether this replica reads a stream with recent output. A short gap between connections does not count."""
        now = self._now()
        return self.said > now - SILENCE and (self.open or self._closed > now - GRACE)

    def believe(self) -> None:
        """Note the reader's message that the stream is up."""
        self._believed_until = self._now() + BELIEVED_FOR

    def doubt(self) -> None:
        """Note the reader's message that the stream is down."""
        self._believed_until = 0.0

    def anew(self) -> None:
        """Begin to read: earlier output does not count."""
        self._closed = self.said = -math.inf

    def opened(self) -> None:
        """Note that the tenant has granted a stream. After more than `GRACE` without, earlier output does not count."""
        self._connections += 1
        self._opened = self._now()
        self.open = True
        if self._closed <= self._opened - GRACE:
            self.said = -math.inf

    def closed(self) -> None:
        """Note that no stream is open here. One without output does not prolong `GRACE`."""
        if self.open and self.said >= self._opened:
            self._closed = self._now()
        self.open = False

    def spoke(self) -> None:
        """Note output of the stream."""
        self.said = self._now()

    def fault(self) -> str:
        """Return what an operator should know, the empty string if all is well."""
        return "" if self.stands else "the event stream is closed"

    def measurements(self) -> Mapping[str, float]:
        """Return the numbers by metric name."""
        silence = self._now() - self.said if self.said > -math.inf else 0.0
        return {
            f"{NAME}stands": float(self.stands),
            f"{NAME}reads": float(self.open),
            f"{NAME}silence_seconds": silence,
            f"{NAME}received_total": self.received,
            f"{NAME}odd_total": self.odd,
            f"{NAME}connections_total": self._connections,
            f"{NAME}refused_offsets_total": self.refused,
            f"{NAME}leases_total": self.leases,
        }
