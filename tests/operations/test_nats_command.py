# SPDX-License-Identifier: MIT
"""What the `nats` command shows of the service; `docs/operations/telemetry.md` has its commands."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import nats as client
import pytest

from tests.system.processes import process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.cli.dev.nats_server import NatsServer
    from tests.system.processes import Process

TOP = Path(__file__).parents[2]
NATS = TOP / "build" / "nats" / "nats"
NAME = "lfx-v2-auth-service"
PREFIX = "lfx.auth-service."
SAMPLE = re.compile(r'^auth_service_requests_total\{outcome="(\w+)",subject="([\w.]+)"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def service(nats: NatsServer, tmp_path: Path) -> Iterator[Process]:
    with process(nats.url, tmp_path) as running:
        running.until_ready()
        yield running


def micro(url: str, *arguments: str) -> str:
    command = [str(NATS), "--server", url, "micro", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


async def mixed_load(url: str) -> None:
    """300 requests: to three subjects, good and bad."""
    bodies = {
        "username_to_sub": [b"ada", b" "],
        "email_to_sub": [b"ada@example.org", b"nobody@example.org", b"no address"],
        "user_metadata.update": [b'{"token":"ada-token","user_metadata":{"city":"Oslo"}}', b"["],
    }
    async with await client.connect(url) as connection:
        for number in range(300):
            subject = list(bodies)[number % 3]
            await connection.request(PREFIX + subject, bodies[subject][number % len(bodies[subject])], timeout=10)


def test_stats_agree_with_metrics_after_a_mixed_load(service, nats):
    asyncio.run(mixed_load(nats.url))
    (stats,) = json.loads(micro(nats.url, "stats", NAME, "--json"))
    seen = {found["subject"]: (found["num_requests"], found["num_errors"]) for found in stats["endpoints"]}
    wanted: dict[str, tuple[int, int]] = {}
    for outcome, subject, value in SAMPLE.findall(service.get("/metrics")[1]):
        requests, errors = wanted.get(PREFIX + subject, (0, 0))
        count = int(float(value))
        wanted[PREFIX + subject] = (requests + count, errors + (0 if outcome == "success" else count))
    assert seen == wanted
    assert sum(requests for requests, _ in seen.values()) == 300
    assert all(found["average_processing_time"] > 0 for found in stats["endpoints"] if found["num_requests"])


@pytest.mark.usefixtures("service")
def test_the_service_is_listed_with_its_version(nats):
    listed = micro(nats.url, "ls")
    assert NAME in listed
    assert "1.0.0" in listed


@pytest.mark.usefixtures("service")
def test_info_shows_endpoints_queue_group_and_schemas(nats):
    shown = micro(nats.url, "info", NAME)
    assert len(set(re.findall(r"/asyncapi.json#/operations/([\w.]+)", shown))) == 16
    assert "lfx.auth-service.queue" in shown
    assert "/asyncapi.json#/operations/user_emails.set_primary" in shown


@pytest.mark.usefixtures("service")
def test_the_commands_of_the_page_work(nats):
    page = (TOP / "docs" / "operations" / "telemetry.md").read_text(encoding="utf-8")
    commands = re.findall(r"^nats micro (.+)$", page, re.MULTILINE)
    assert len(commands) == 3
    assert all(NAME in micro(nats.url, *command.split()) for command in commands)
