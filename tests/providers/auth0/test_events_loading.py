# SPDX-License-Identifier: MIT
"""A service that ends does not wait for the library of the tenant's events, which takes long to load."""

from __future__ import annotations

import asyncio
import subprocess
import sys

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
