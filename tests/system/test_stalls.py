# SPDX-License-Identifier: MIT
"""A process whose event loop stands: what its metrics and its log say of it, and while it lasts."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats as client
import pytest

from tests.support.standing_service import SECRET, WAYS
from tests.system.processes import Process, process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.nats_server import NatsServer

LAG = re.compile(r"^auth_service_event_loop_lag_seconds (\S+)$", re.MULTILINE)
STALLS = re.compile(r"^auth_service_event_loop_stalls_total (\S+)$", re.MULTILINE)


def standing() -> None:
    """Be the service whose event loop stands when it is told to."""
    from tests.support.standing_service import main  # noqa: PLC0415 - in the process that is forked

    sys.exit(main())


@pytest.fixture(scope="module")
def service(nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with process(nats.url, tmp_path_factory.mktemp("stalls"), standing) as running:
        running.until_ready()
        yield running


def _hold(url: str, how: str, seconds: float) -> None:
    async def ask() -> None:
        async with await client.connect(url) as connection:
            await connection.request("lfx.auth-service.user_metadata.read", f"{how}:{seconds}:ada".encode(), timeout=60)

    asyncio.run(ask())


def _told(service: Process, how: str, url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Hold the loop up until that is told, and return both records. One stall in ten seconds is, whatever its cause."""
    name = WAYS[how].__name__
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        _hold(url, how, 0.6)
        records = [record for record in service.records() if record["message"].startswith("the event loop")]
        for begun, over in pairwise(records):
            if name in begun.get("stack", "") and "stood_seconds" in over:
                return begun, over
        time.sleep(1)
    raise AssertionError(service.log.read_text())


@pytest.mark.parametrize("how", WAYS)
def test_a_stall_is_told_with_the_function_that_holds_up_the_loop(how: str, nats: NatsServer, service: Process):
    begun, over = _told(service, how, nats.url)
    assert (begun["level"], begun["message"]) == ("warn", "the event loop stands")
    assert begun["seconds"] >= 0.25
    assert (over["level"], over["message"]) == ("warn", "the event loop goes on")
    assert over["stood_seconds"] >= 0.5


def test_it_is_told_while_it_lasts(nats: NatsServer, service: Process):
    begun, over = _told(service, "log", nats.url)
    records = service.records()
    assert begun["time"] < over["time"]
    assert begun["seconds"] < over["stood_seconds"]
    # The record in which the loop stands is written when it is done, after the one that tells of it.
    assert records[records.index(begun) + 1]["message"] == "a record that takes its time"


def test_what_the_loop_waits_for_is_told_apart_from_what_it_computes(nats: NatsServer, service: Process):
    begun, _ = _told(service, "sleeping", nats.url)
    assert begun["cpu_seconds"] < 0.1


def test_no_value_of_the_stack_is_shown(nats: NatsServer, service: Process):
    _told(service, "computing", nats.url)
    assert SECRET not in service.log.read_text()


def test_the_worst_delay_is_a_metric_until_it_was_read_and_stalls_are_counted(nats: NatsServer, service: Process):
    before = float(STALLS.findall(service.get("/metrics")[1])[0])
    _hold(nats.url, "sleeping", 1.5)
    text = service.get("/metrics")[1]
    assert 1.4 <= float(LAG.findall(text)[0]) < 60
    assert float(STALLS.findall(text)[0]) > before
    # Whatever the machine is at: of some readings at once one finds no such delay any more.
    assert min(float(LAG.findall(service.get("/metrics")[1])[0]) for _ in range(20)) < 1.4


def test_a_service_that_nothing_holds_up_tells_of_no_function_of_its_own(nats: NatsServer, tmp_path: Path):
    with process(nats.url, tmp_path, standing) as idle:
        idle.until_ready()
        time.sleep(1)
        assert float(LAG.findall(idle.get("/metrics")[1])[0]) < 60
        assert not [record for record in idle.records() if "hold_" in record.get("stack", "")]
        assert idle.end() == 0
