# SPDX-License-Identifier: MIT
"""No read after a confirmed change shows what was before it, while NATS is restarted and replicas are killed.

`REMEMBERED_CHANGES`: how many changes are made, over three replicas as processes of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
from contextlib import ExitStack

import nats.errors
import pytest
from nats import connect

from tests.providers.remembering.course import Course, people
from tests.stand_ins.auth0.process import tenant_process
from tests.support.fleet import PREFIX, Fleet
from tests.support.ports import nats_server
from tests.support.waiting import until

CHANGES = int(os.environ.get("REMEMBERED_CHANGES", "60"))
USERS = max(30, CHANGES // 20)
ROUNDS = max(2, CHANGES // 500)
"""How often NATS is restarted, and how often a replica is killed."""


class Asking:
    """Asks through the queue group; what gets no reply is lost, with the replica or the connection that had it."""

    def __init__(self, client):
        self.client = client

    async def ask(self, subject, body):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        try:
            reply = (await self.client.request(PREFIX + subject, data, timeout=5)).data.decode()
        except (nats.errors.Error, TimeoutError, OSError):
            await asyncio.sleep(0.1)
            return None
        return json.loads(reply) if reply.startswith("{") else reply


@pytest.fixture
def tenant():
    with tenant_process(records=False) as running:
        running.do(add=people(USERS))
        yield running


async def _disturb(course, server, fleet):
    """Restart NATS and kill a replica, in turn, at even distances among the changes."""
    for number in range(2 * ROUNDS):
        made = (number + 1) * CHANGES / (2 * ROUNDS + 1)
        await until(lambda least=made: course.made >= least, 3600)
        if number % 2:
            await asyncio.to_thread(fleet.replicas.pop(0).end, signal.SIGKILL)
            await fleet.start()
        else:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(server.start)
    return True


async def test_no_read_after_a_confirmed_change_shows_the_state_before_it(tenant, tmp_path):
    variables = {
        "READ_FRESH_FOR": "10m",
        "READ_STALE_FOR": "0",
        "NATS_MAX_RECONNECT": "-1",
        "NATS_RECONNECT_WAIT": "100ms",
    }
    tenant.environment.update(variables)
    with nats_server() as server, ExitStack() as running:
        fleet = Fleet(server.url, tmp_path, tenant, running)
        await asyncio.gather(*(fleet.start() for _ in range(3)))
        client = await connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
        try:
            token = functools.cache(tenant.access_token)
            course = Course(Asking(client), token, USERS, seed=2, lost=True)
            disturbing = asyncio.create_task(_disturb(course, server, fleet))
            try:
                await course.run(CHANGES)
                assert await disturbing
            finally:
                disturbing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await disturbing
            assert (course.old, course.made) == ([], CHANGES)
            pages = [await asyncio.to_thread(one.get, "/metrics") for one in fleet.replicas]
            assert all('auth_service_reads_total{source="fresh"}' in page for _, page in pages)
        finally:
            await client.close()
