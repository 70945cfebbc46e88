# SPDX-License-Identifier: MIT
"""`auth-service compare`, as a process of its own or in this one, beside services in this process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import threading
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

from typer.testing import CliRunner

from app.cli import app
from tests.support.answering import answering
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


def words(url, *arguments):
    """The command line for one NATS, with a report in JSON and a rate that no test waits for; and the environment."""
    which = ("--old-prefix", OLD, "--new-prefix", NEW)
    line = ["compare", *which, "--rate", "1000", "--format", "json", *arguments]
    return line, {"NATS_URL": url, "COLUMNS": "200", "NO_COLOR": "1"}


async def start(url, *arguments, shell=""):
    """Start it as people do, for what a terminal or a signal does to it; `shell`: where its words go."""
    line, variables = words(url, *arguments)
    by_shell = ("bash", "-c", f'exec "$@" {shell}', "bash") if shell else ()
    return await asyncio.create_subprocess_exec(
        *by_shell,
        *COMMAND,
        *line,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **variables},
    )


async def end(process, lines=b""):
    """Give it its input, and wait until it ends."""
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate(lines)
    return Done(process.returncode, output.decode(), errors.decode())


def compare(url, lines, *arguments):
    """Compare what these lines stand for, in this process: it takes a tenth of the time of another one."""
    if not lines:
        return _invoked(words(url, *arguments))
    with tempfile.NamedTemporaryFile() as file:
        file.write(lines)
        file.flush()
        return _invoked(words(url, "--inputs", file.name, *arguments))


def _invoked(how):
    line, variables = how
    logger = logging.getLogger("nats")
    level = logger.level
    try:
        done = CliRunner().invoke(app, line, env=variables, catch_exceptions=False)
    finally:
        logger.setLevel(level)
    return Done(done.exit_code, done.stdout, done.stderr)


@contextmanager
def beside(url, old=(), new=()):
    """Run both services in a thread while the context lasts; what they reply, where that is not the usual."""
    begun, over = threading.Event(), asyncio.Event()
    running = []

    async def serve():
        async with AsyncExitStack() as stack:
            both = [await stack.enter_async_context(answering(url, *one)) for one in ((OLD, old), (NEW, new))]
            running.extend([asyncio.get_running_loop(), both])
            begun.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert begun.wait(PATIENCE)
    try:
        yield running[1]
    finally:
        running[0].call_soon_threadsafe(over.set)
        thread.join(PATIENCE)
