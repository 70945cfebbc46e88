# SPDX-License-Identifier: MIT
"""`auth-service compare`, run as people run it, beside services in this process."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass

from tests.support.command import COMMAND, PATIENCE

OLD, NEW = "old.auth.", "new.auth."


@dataclass
class Done:
    """How the command ended, and what it put out."""

    status: int
    output: str
    errors: str

    @property
    def report(self):
        return json.loads(self.output)

    @property
    def kinds(self):
        """In what they differ: subject, kind and place of each class."""
        return {(one["subject"], one["kind"], one["where"]) for one in self.report["differences"]}


async def start(url, *arguments, prefixes=(OLD, NEW), stdin=asyncio.subprocess.PIPE):
    """Start it on one NATS, with a report in JSON and a rate that no test waits for."""
    which = ("--old-prefix", prefixes[0], "--new-prefix", prefixes[1]) if prefixes else ()
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        "compare",
        *which,
        *("--rate", "1000", "--format", "json", *arguments),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NATS_URL": url, "COLUMNS": "200", "NO_COLOR": "1"},
    )


async def end(process, lines=b""):
    """Give it its input, and wait until it ends."""
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate(lines)
    return Done(process.returncode, output.decode(), errors.decode())


async def compare(url, lines, *arguments, **how):
    """Compare what these lines stand for."""
    return await end(await start(url, "--inputs", "-", *arguments, **how), lines)
