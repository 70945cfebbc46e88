# SPDX-License-Identifier: MIT
"""The yardstick: the least that a Python process can do with nats-py, one callback that sends back what it gets.

`python -m tests.benchmarks.echo NATS_URL`; says `ready` when it is.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import nats
import uvloop

if TYPE_CHECKING:
    from nats.aio.msg import Msg

SUBJECT = "bench.echo"


async def serve(url: str) -> None:
    """Echo until the process is ended."""
    connection = await nats.connect(url)

    async def on_message(message: Msg) -> None:
        await message.respond(message.data)

    await connection.subscribe(SUBJECT, queue="bench", cb=on_message)
    await connection.flush()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1]))
