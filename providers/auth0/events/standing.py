# SPDX-License-Identifier: MIT
"""Whether the stream of events stands, as far as this replica knows, and what is counted of it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from providers.auth0.events.stream import SILENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD_EVERY: Final = 0.5
BELIEVED_FOR: Final = 1.8
"""Seconds without word from the reader after which the stream does not stand: it may have died, and what was changed
is to be seen within two seconds."""

GRACE: Final = 1.0
"""Seconds in which a stream that was closed is open again, before the others are told that it fell."""

NAME: Final = "auth_service_auth0_events_"


class Standing:
    """What is known of the stream. Moments are those of the event loop's clock (seconds)."""

    def __init__(self) -> None:
        """Begin with a stream of which nothing was heard."""
        self._believed_until = 0.0
        self._closed = -math.inf
        self._connections = 0
        self.open = False
        """Whether this replica reads a stream."""
        self.said = -math.inf
        """When it last said something."""
        self.received = self.odd = self.refused = self.leases = 0

    @property
    def stands(self) -> bool:
        """Whether some replica reads the stream, which said something in the last minute."""
        return _now() < self._believed_until

    @property
    def reads_on(self) -> bool:
        """Whether this replica reads a stream that said something lately; a moment between two connections is none."""
        now = _now()
        return self.said > now - SILENCE and (self.open or self._closed > now - GRACE)

    def believe(self) -> None:
        """Take note that the reader says: the stream stands."""
        self._believed_until = _now() + BELIEVED_FOR

    def doubt(self) -> None:
        """Take note that the reader says: it stands no more."""
        self._believed_until = 0.0

    def anew(self) -> None:
        """Begin to read: what was said before does not count."""
        self._closed = self.said = -math.inf

    def opened(self) -> None:
        """Take note that the tenant has granted a stream."""
        self._connections += 1
        self.open = True

    def closed(self) -> None:
        """Take note that no stream is open here."""
        if self.open:
            self.open, self._closed = False, _now()

    def spoke(self) -> None:
        """Take note that the stream said something."""
        self.said = _now()

    def fault(self) -> str:
        """Say what an operator should know; nothing while all is well."""
        return "" if self.stands else "the stream does not stand"

    def measurements(self) -> Mapping[str, float]:
        """Return what is measured, by the metric's name."""
        silence = _now() - self.said if self.said > -math.inf else 0.0
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


def _now() -> float:
    return asyncio.get_running_loop().time()
