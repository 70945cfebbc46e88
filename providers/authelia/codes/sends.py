# SPDX-License-Identifier: MIT
"""Counts the codes that all replicas sent in the last hour, and limits them."""

from __future__ import annotations

import json
import math
from asyncio import Lock
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from app.domain.codes import SEND_WINDOW, StaleRevision
from app.domain.errors import ProviderUnavailable, TooManyCodes
from providers.authelia.storage.records import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.authelia.storage.kv import Open

KEY: Final = "sends"
_FINE: Final = 1
_COARSE: Final = 10
"""Seconds that are counted together: so that the record stays below 8 KiB whatever the bound."""
_MANY: Final = 1000

Slots = list[tuple[int, int]]
"""Until when (Unix seconds) and how many, the earliest first."""


class AllSends:
    """Counts sends by compare-and-set, in a record of the ledger: pairs of seconds since the one before, and sends."""

    def __init__(self, ledger: Open, limit: int, now: Callable[[], float]) -> None:
        """Take the bucket, how many an hour there may be, and the clock (Unix seconds)."""
        self._ledger = ledger
        self._limit = limit
        self._now = now
        self._step = _FINE if limit <= _MANY else _COARSE
        self._turn = Lock()

    async def refuse(self) -> None:
        """Raise TooManyCodes when there are as many as there may be."""
        slots, _ = await self._read()
        self._check(slots)

    async def count(self) -> None:
        """Count a send that is about to be made. Raises TooManyCodes."""
        # In turn within this process, where all but one would come too late; among replicas the revision decides.
        async with self._turn:
            while True:
                slots, revision = await self._read()
                self._check(slots)
                try:
                    await (await self._ledger()).put(KEY, _encoded(self._with_one_more(slots)), revision)
                except StaleRevision:
                    continue
                if _sum(slots) + 1 == self._limit:
                    logger.warning("as many codes were sent as may be in an hour: no more for now", limit=self._limit)
                return

    def _check(self, slots: Slots) -> None:
        if _sum(slots) >= self._limit:
            raise TooManyCodes

    async def _read(self) -> tuple[Slots, int]:
        bucket = await self._ledger()
        entry = await bucket.get(KEY)
        now = self._now()
        slots = [slot for slot in _decoded(entry.value) if slot[0] > now - SEND_WINDOW]
        # No send was later than the record was written: a slot that says so is of a replica whose clock is ahead. The
        # server's clock counts too, so that one replica that is behind does not make the others' sends older.
        latest = self._until(max(now, entry.written.timestamp() if entry.written else 0.0))
        if slots and slots[-1][0] > latest:
            before = [slot for slot in slots if slot[0] < latest]
            slots = [*before, (latest, _sum(slots) - _sum(before))]
            if _sum(slots) >= self._limit:
                # Nobody writes now, and the slot would be moved to the present at every look.
                with suppress(StaleRevision, ProviderUnavailable):
                    await bucket.put(KEY, _encoded(slots), entry.revision)
        return slots, entry.revision

    def _until(self, moment: float) -> int:
        """Return the second until which a send of that moment is counted."""
        return math.ceil(moment / self._step) * self._step

    def _with_one_more(self, slots: Slots) -> Slots:
        # A slot is over when its last second is: it counts a little longer than an hour, and never less. The clock of
        # the replica that counted last may be ahead.
        until = self._until(self._now())
        if slots and slots[-1][0] >= until:
            return [*slots[:-1], (slots[-1][0], slots[-1][1] + 1)]
        return [*slots, (until, 1)]


def _sum(slots: Slots) -> int:
    return sum(sends for _, sends in slots)


def _encoded(slots: Slots) -> bytes:
    before = [0, *(until for until, _ in slots)]
    pairs = [(until - earlier, sends) for (until, sends), earlier in zip(slots, before, strict=False)]
    return json.dumps({"sends": pairs}, separators=(",", ":")).encode()


def _decoded(value: bytes | None) -> Slots:
    """Return the slots; what is no such record is none."""
    pairs: Any = (parse(value) or {}).get("sends")
    slots: Slots = []
    until = 0
    for pair in pairs if isinstance(pairs, list) else []:
        match pair:
            # Not `int(seconds)`, which takes ten times as long: there may be a thousand, and nothing else goes on.
            case [seconds, sends] if isinstance(seconds, int) and isinstance(sends, int):
                until += seconds
                slots.append((until, sends))
            case _:
                return []
    return slots
