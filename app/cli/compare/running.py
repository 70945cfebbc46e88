# SPDX-License-Identifier: MIT
"""Connects to both services, compares them until it is enough, prints the report."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import typer
from nats.errors import Error as NatsError
from nats.protocol.parser import PERMISSIONS_ERR

from app import interruption
from app.cli import FAILED, OK, UNUSABLE, fail, say
from app.cli.compare.asking import ECHOES, INBOX, Side
from app.cli.compare.comparing import Comparison
from app.cli.compare.masking import Mask
from app.cli.compare.progress import progress
from app.cli.compare.report import Course, Verdict, report, written
from app.cli.compare.sources import Inputs, NotUtf8, Traffic
from app.cli.compare.tally import Tally
from app.cli.connection import Unreachable, connected, nats_at, seconds_of, without_passwords
from app.cli.terminal import printable
from app.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from io import RawIOBase

    from nats.aio.client import Client

    from app.cli.compare.progress import Progress
    from app.cli.compare.report import Form
    from app.cli.compare.sources import Source
    from app.settings import NatsSettings

_CONNECTING: Final = 10.0
_RECONNECTS: Final = 300
"""Attempts, and the seconds between them: NATS may be away for ten minutes of a day."""
_BETWEEN: Final = 2.0
_STATUSES: Final = {Verdict.SAME: OK, Verdict.KNOWN: OK, Verdict.DIFFERENT: FAILED, Verdict.NOTHING: UNUSABLE}
_STDIN: Final = 0
_MOST_REFUSED: Final = 10
_AWAY: Final = "NATS was away for too long"
_ONE_SERVICE: Final = "old and new are one service: name another NATS, or another prefix on this one"
_ASKED: Final = "it was asked to"


class _OneService(Exception):
    """Two names of one NATS, and one prefix."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `auth-service compare`, as they were typed in."""

    old: str | None
    new: str | None
    old_prefix: str | None
    new_prefix: str | None
    inputs: str | None
    from_traffic: str | None
    rate: float
    timeout: str
    show: bool
    form: Form


@dataclass(frozen=True)
class _Plan:
    """What is to be done, checked as far as can be without a connection."""

    old: NatsSettings
    new: NatsSettings
    file: RawIOBase | None
    listening: float
    timeout: float
    options: Options


def compared(options: Options) -> int:
    """Compare, print the report, and return the exit status."""
    try:
        with _opened(options.inputs) as file:
            plan = _planned(options, file)
            found = interruption.run(_compared(plan))
    except (ConfigurationError, Unreachable, _OneService) as error:
        raise fail(str(error), UNUSABLE) from None
    except NotUtf8:
        raise fail(f"{options.inputs}: it is in UTF-16; save it as UTF-8", UNUSABLE) from None
    except NatsError as error:
        # While it was not asked anything yet: later on, what NATS does is an answer.
        raise fail(f"NATS: {str(error).removeprefix('nats: ')}", UNUSABLE) from None
    except KeyboardInterrupt:
        # Before there was anything to report, or a second time.
        raise fail("stopped without a report", UNUSABLE) from None
    except OSError as error:
        raise fail(f"{options.inputs}: {error.strerror}", UNUSABLE) from None
    say(written(found, options.form))
    return _STATUSES[Verdict(found["verdict"])]


def _opened(inputs: str | None) -> AbstractContextManager[RawIOBase | None]:
    if inputs is None:
        return nullcontext()
    if inputs == "-":
        return open(_STDIN, "rb", buffering=0, closefd=False)
    return open(inputs, "rb", buffering=0)  # noqa: PTH123 - any path, a pipe's too


def _planned(options: Options, file: RawIOBase | None) -> _Plan:
    if (options.inputs is None) == (options.from_traffic is None):
        raise typer.BadParameter("name a file of inputs, or for how long to listen to traffic", param_hint="--inputs")
    if math.isnan(options.rate):
        raise typer.BadParameter("must be a number", param_hint="--rate")
    old = nats_at(options.old, options.old_prefix, "--old")
    new = nats_at(options.new, options.new_prefix, "--new")
    if (set(old.servers), old.subject_prefix) == (set(new.servers), new.subject_prefix):
        raise typer.BadParameter(_ONE_SERVICE, param_hint="--new")
    listening = 0.0 if options.from_traffic is None else seconds_of(options.from_traffic, "--from-traffic")
    return _Plan(old, new, file, listening, seconds_of(options.timeout, "--timeout"), options)


async def _compared(plan: _Plan) -> dict[str, Any]:
    tally, end = Tally(Mask(plan.options.show)), _End()
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(_side("old", plan.old, plan, tally, end))
        new = await stack.enter_async_context(_side("new", plan.new, plan, tally, end))
        if plan.old.subject_prefix == plan.new.subject_prefix and await old.is_also(new):
            raise _OneService(_ONE_SERVICE)
        source: Source
        if plan.file is not None:
            source = Inputs(plan.file, end.reached)
        else:
            # A connection of its own: what is heard does not hold up the answers.
            source = traffic = Traffic(plan.old.subject_prefix, end.reached)
            traffic.client = await stack.enter_async_context(_connected(plan.old, end, traffic.missed))
        with _signals(end), progress(plan.file, plan.listening, tally) as shown:
            await _until_the_end(Comparison(old, new, tally, plan.options.rate), source, plan.listening, end, shown)
            await asyncio.sleep(ECHOES)
    seconds = time.monotonic() - began
    course = Course(
        _where(plan.old), _where(plan.new), seconds, source.left_out, source.passed, end.early, tuple(end.refused)
    )
    return report(tally, course)


class _End:
    """Says that it is over, and why before its time; and what NATS refused until then."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.early = ""
        self.refused: list[str] = []

    def call(self, reason: str) -> None:
        """End it before its time, unless it is over."""
        if not self.reached.is_set():
            self.early = reason
            self.reached.set()

    def told(self, fault: Exception) -> None:
        """Keep what a person has to grant: without it nothing is heard, or nothing answered."""
        text = str(fault).removeprefix("nats: ")
        if PERMISSIONS_ERR in text and text not in self.refused and len(self.refused) < _MOST_REFUSED:
            self.refused.append(printable(text))


async def _until_the_end(comparison: Comparison, source: Source, listening: float, end: _End, shown: Progress) -> None:
    timer = asyncio.get_running_loop().call_later(listening, end.reached.set) if listening else None
    ticking = asyncio.create_task(shown.tick())
    try:
        await comparison.run(source, end.reached)
    finally:
        end.reached.set()  # connections that close now close because it is over
        ticking.cancel()
        if timer is not None:
            timer.cancel()


@asynccontextmanager
async def _connected(
    nats: NatsSettings, end: _End, missed: Callable[[Exception], None] | None = None
) -> AsyncIterator[Client]:
    async def closed() -> None:
        end.call(_AWAY)

    def told(fault: Exception) -> None:
        end.told(fault)
        if missed is not None:
            missed(fault)

    more = {"max_reconnect_attempts": _RECONNECTS, "reconnect_time_wait": _BETWEEN}
    async with connected(nats, _CONNECTING, told, inbox_prefix=INBOX, closed_cb=closed, **more) as client:
        yield client


@asynccontextmanager
async def _side(which: str, nats: NatsSettings, plan: _Plan, tally: Tally, end: _End) -> AsyncIterator[Side]:
    async with (
        _connected(nats, end) as client,
        Side(client, nats.subject_prefix, plan.timeout, partial(tally.twice, which=which)) as side,
    ):
        yield side


@contextmanager
def _signals(end: _End) -> Iterator[None]:
    """End with the report of what there is when somebody, or a pod's end, asks for it; at once when asked again."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def leave() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, interruption.end_at_once)
        interruption.on_ctrl_c(task.cancel if task else leave)

    def asked() -> None:
        leave()
        end.call(_ASKED)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        leave()


def _where(nats: NatsSettings) -> str:
    return f"{nats.subject_prefix} on {without_passwords(nats)}"
