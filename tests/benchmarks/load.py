# SPDX-License-Identifier: MIT
"""The load generator, in a process of its own: orders come in on standard input, counts go out on standard output.

`python -m tests.benchmarks.load NATS_URL`; one JSON object a line, an `Order` in and a `Tally` out.

Replies come to one inbox subscription; each request has a slot, whose number is the last token of its reply
subject. A slot sends its next request when its reply has come, so exactly `in_flight` requests are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import nats
import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

_PATIENCE = 15.0
"""Seconds without a reply after which the requests that still wait for one are lost."""

_ECHOES = 0.1
"""Seconds after the last reply in which a second reply to a request would show itself."""


@dataclass(frozen=True)
class Order:
    """Send `body` to `subject` for some seconds, `in_flight` at a time, or `in_flight` of them once (no seconds).

    A reply counts as failed unless it begins with `expected`. `pairs`, bodies each with what is expected, take the
    place of the one: they are sent one after the other, and again from the first. `pause` seconds lie between a reply
    and the next request of its slot.
    """

    subject: str
    body: str
    expected: str
    in_flight: int
    seconds: float = 0.0
    pairs: Sequence[tuple[str, str]] = ()
    pause: float = 0.0


@dataclass
class Tally:
    """What came of an order. Times in milliseconds, `seconds` from the first request to the last reply."""

    requests: int = 0
    replies: int = 0
    failed: int = 0
    lost: int = 0
    surplus: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    slowest: float = 0.0
    per_second: float = 0.0

    @property
    def faultless(self) -> bool:
        """Whether every request got its one proper reply."""
        return self.requests == self.replies and not (self.failed or self.lost or self.surplus)


class Load:
    """One order at work."""

    def __init__(self, connection: Client, order: Order, patience: float = _PATIENCE) -> None:
        """Take the connection, what is to be sent, and for how long to wait for a reply when none comes."""
        self._connection = connection
        self._order = order
        self._patience = patience
        pairs = order.pairs or [(order.body, order.expected)]
        self._pairs = itertools.cycle([(body.encode(), expected.encode()) for body, expected in pairs])
        self._expected = [b""] * order.in_flight
        self._inbox = connection.new_inbox()
        self._reply_to = [f"{self._inbox}.{slot}" for slot in range(order.in_flight)]
        self._sent_at = [0.0] * order.in_flight
        self._latencies: list[float] = []
        self._pausing: set[asyncio.Task[None]] = set()
        self._outstanding = 0
        self._last_reply = 0.0
        self._done = asyncio.Event()
        self._tally = Tally()

    async def run(self) -> Tally:
        """Send, wait for the last reply, count."""
        subscription = await self._connection.subscribe(
            f"{self._inbox}.*", cb=self._on_reply, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        await self._connection.flush()
        began = self._last_reply = perf_counter()
        self._until = began + self._order.seconds
        for slot in range(self._order.in_flight):
            await self._send(slot)
        while not self._done.is_set() and perf_counter() < max(self._last_reply, self._until) + self._patience:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), min(0.5, self._patience))
        await asyncio.sleep(_ECHOES)
        await subscription.unsubscribe()
        return self._counted(self._last_reply - began)

    @property
    def latencies(self) -> list[float]:
        """Seconds from each request to its reply, in the order of the replies."""
        return self._latencies

    @property
    def sent(self) -> int:
        """How many requests were sent so far."""
        return self._tally.requests

    def stop(self) -> None:
        """Send nothing more; `run` ends with the last reply."""
        self._until = 0.0
        if not self._outstanding:
            self._done.set()

    async def _send(self, slot: int) -> None:
        self._tally.requests += 1
        self._outstanding += 1
        body, self._expected[slot] = next(self._pairs)
        self._sent_at[slot] = perf_counter()
        await self._connection.publish(self._order.subject, body, self._reply_to[slot])

    async def _on_reply(self, message: Msg) -> None:
        now = perf_counter()
        slot = int(message.subject.rpartition(".")[2])
        sent_at = self._sent_at[slot]
        if not sent_at:
            self._tally.surplus += 1
            return
        self._sent_at[slot] = 0.0
        self._outstanding -= 1
        self._last_reply = now
        self._latencies.append(now - sent_at)
        if not message.data.startswith(self._expected[slot]):
            self._tally.failed += 1
        if self._order.pause and now < self._until:
            pausing = asyncio.create_task(self._pause(slot))
            self._pausing.add(pausing)
            pausing.add_done_callback(self._pausing.discard)
        else:
            await self._go_on(slot)

    async def _pause(self, slot: int) -> None:
        await asyncio.sleep(self._order.pause)
        await self._go_on(slot)

    async def _go_on(self, slot: int) -> None:
        if perf_counter() < self._until:
            await self._send(slot)
        elif not (self._outstanding or self._pausing - {asyncio.current_task()}) and (
            self._tally.requests >= self._order.in_flight
        ):
            self._done.set()

    def _counted(self, seconds: float) -> Tally:
        tally, latencies = self._tally, sorted(self._latencies)
        tally.replies = len(latencies) + tally.surplus
        tally.lost = self._outstanding
        tally.seconds = seconds
        if latencies:
            tally.p50 = latencies[len(latencies) // 2] * 1000
            tally.p99 = latencies[len(latencies) * 99 // 100] * 1000
            tally.slowest = latencies[-1] * 1000
            tally.per_second = len(latencies) / seconds
        return tally


async def obey(url: str) -> None:
    """Carry out one order after the other until standard input ends."""
    # The generator's own share is kept small: what it sends needs no checking.
    connection = await nats.connect(url, skip_subject_validation=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        tally = await Load(connection, Order(**json.loads(line))).run()
        sys.stdout.write(json.dumps(asdict(tally)) + "\n")
        sys.stdout.flush()
    await connection.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(obey(sys.argv[1]))
