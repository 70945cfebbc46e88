# SPDX-License-Identifier: MIT
"""A service that ends does not wait for the library of the tenant's events, which takes long to load."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from providers.auth0.events import following

ENDS_AT_ONCE = """
import asyncio, time
from providers.auth0.events.following import Following

class Memory:
    def hear(self, kind, heard): pass
    def trust(self, fresh_for): pass

async def main():
    following = Following(Memory(), None, 600.0)
    following.begin(lambda: time.sleep(600))
    await asyncio.sleep(0.1)
    await following.leave()

asyncio.run(main())
"""


def test_the_end_waits_for_nothing_that_loads():
    # Half a minute is far more than it takes, and far less than what loads.
    assert subprocess.run([sys.executable, "-c", ENDS_AT_ONCE], check=False, timeout=120).returncode == 0


def test_what_fails_to_load_is_told_and_ends_nothing():
    async def main() -> None:
        from providers.auth0.events.following import _in_thread  # noqa: PLC0415 - what is tried

        try:
            await _in_thread(lambda: 1 / 0)
        except ZeroDivisionError:
            return
        raise AssertionError

    asyncio.run(main())


async def test_what_could_not_be_loaded_is_tried_again(monkeypatch):
    class Memory:
        def hear(self, kind, heard) -> None: ...

        def trust(self, fresh_for) -> None: ...

    outcomes = [OSError("Too many open files"), ImportError("later"), "a stream"]
    reading = asyncio.get_running_loop().create_future()

    def load() -> object:
        if isinstance(outcome := outcomes.pop(0), Exception):
            raise outcome
        return outcome

    async def run(stream: object) -> None:
        reading.set_result(stream)

    monkeypatch.setattr(following, "_LONGEST_AFTER_REFUSAL", 0.01)
    follows = following.Following(Memory(), None, 600.0)
    follows.run = run
    follows.begin(load)
    assert await asyncio.wait_for(reading, 30) == "a stream"
    await follows.leave()
