# SPDX-License-Identifier: MIT
"""NATS absent, away, back, and gone for good."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.support.ports import free_port, nats_server
from tests.support.raw_client import connect
from tests.system.processes import process, slow

PREFIX = "lfx.auth-service."
NO_MAIL = b'{"success":true,"data":{"name":"No Mail"}}'


async def _ask(url: str) -> bytes:
    client = await connect(url)
    try:
        return (await client.request(PREFIX + "username_to_sub", b"ada", timeout=60)).data
    finally:
        await client.close()


async def test_nats_absent_at_start_is_waited_for(tmp_path):
    port = free_port()
    variables = {"NATS_MAX_RECONNECT": "-1", "NATS_RECONNECT_WAIT": "50ms"}
    with process(f"nats://127.0.0.1:{port}", tmp_path, **variables) as service:
        service.until(lambda: service.get("/livez")[0] == 200)
        status, text = service.get("/readyz")
        assert status == 503
        assert text.startswith("nats: not connected")
        with nats_server(port) as server:
            service.until_ready()
            assert await _ask(server.url) == b"auth0|ada"
            assert service.end() == 0


async def test_nats_absent_at_start_does_not_hold_up_a_sigterm(tmp_path):
    with process(f"nats://127.0.0.1:{free_port()}", tmp_path, NATS_MAX_RECONNECT="-1") as service:
        service.until(lambda: service.get("/livez")[0] == 200)
        assert service.end(seconds=25) == 0


@pytest.mark.parametrize(("limit", "attempts"), [("0", 1), ("1", 2), ("3", 4)])
def test_nats_absent_at_start_is_given_up_after_the_attempts(tmp_path, limit, attempts):
    url = f"nats://127.0.0.1:{free_port()}"
    with process(url, tmp_path, NATS_MAX_RECONNECT=limit, NATS_RECONNECT_WAIT="20ms") as service:
        assert service.popen.wait(60) == 1
        records = service.records()
        assert sum(record["message"] == "NATS error" for record in records) == attempts
        assert [record["message"] for record in records if record["level"] == "error"] == ["NATS cannot be reached"]


async def test_a_restart_of_nats_is_survived_not_ready_in_between(tmp_path):
    with (
        nats_server() as server,
        process(server.url, tmp_path, NATS_MAX_RECONNECT="-1", NATS_RECONNECT_WAIT="50ms") as service,
    ):
        service.until_ready()
        server.stop()
        service.until(lambda: service.get("/readyz")[0] == 503)
        assert service.get("/readyz")[1].startswith("nats: reconnecting")
        assert service.get("/livez") == (200, "OK")
        server.start()
        service.until_ready()
        assert await _ask(server.url) == b"auth0|ada"
        assert service.end() == 0


@pytest.mark.parametrize(("limit", "attempts"), [("0", 0), ("1", 1), ("3", 3)])
def test_nats_gone_for_good_ends_the_process_with_status_1(tmp_path, limit, attempts):
    with (
        nats_server() as server,
        process(server.url, tmp_path, NATS_MAX_RECONNECT=limit, NATS_RECONNECT_WAIT="20ms") as service,
    ):
        service.until_ready()
        server.stop()
        assert service.popen.wait(60) == 1
        records = service.records()
        refused = [r for r in records if r["message"] == "NATS error" and "Errno 111" in r["error"]]
        assert len(refused) == attempts
        assert [record["message"] for record in records if record["level"] == "error"] == ["NATS is gone for good"]


async def test_replies_made_while_nats_was_away_leave_when_it_is_back_also_while_draining(tmp_path):
    with (
        nats_server() as server,
        process(
            server.url, tmp_path, slow, REQUEST_TIMEOUT="60s", NATS_MAX_RECONNECT="-1", NATS_RECONNECT_WAIT="50ms"
        ) as service,
    ):
        service.until_ready()
        client = await connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.02)
        done = tmp_path / "done"
        body = f"{done}:nomail".encode()
        asked = asyncio.create_task(client.request(PREFIX + "user_metadata.read", body))
        await asyncio.to_thread(service.until, lambda: "in_flight 1.0" in service.get("/metrics")[1])
        server.stop()
        await asyncio.to_thread(service.until, lambda: service.get("/readyz")[0] == 503)
        service.popen.send_signal(signal.SIGTERM)
        done.touch()
        await asyncio.to_thread(service.until, lambda: "in_flight 0.0" in service.get("/metrics")[1])
        assert service.popen.poll() is None
        # The asker has to be back first: a reply for which nobody listens is nobody's.
        service.popen.send_signal(signal.SIGSTOP)
        server.start()
        while not client.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
            await asyncio.sleep(0.01)
        await client.flush()
        service.popen.send_signal(signal.SIGCONT)
        assert (await asked).data == NO_MAIL
        assert await asyncio.to_thread(service.popen.wait, 60) == 0
        await client.close()


async def test_a_server_in_lame_duck_mode_is_left_and_its_successor_found(tmp_path):
    with (
        nats_server() as server,
        process(server.url, tmp_path, NATS_MAX_RECONNECT="-1", NATS_RECONNECT_WAIT="50ms") as service,
    ):
        service.until_ready()
        os.kill(server.pid, signal.SIGUSR2)
        server.stop()
        server.start()
        service.until_ready()
        assert await _ask(server.url) == b"auth0|ada"
        assert service.end() == 0
