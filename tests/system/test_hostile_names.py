# SPDX-License-Identifier: MIT
"""Fields of a mebibyte, to every subject of the real process on Authelia, where a name is a question to storage."""

from __future__ import annotations

import pytest

from tests.stand_ins.authelia import authelia_process
from tests.support.hostile import FIELDS, attack
from tests.support.ports import nats_server
from tests.system.processes import process


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    with nats_server() as server, authelia_process() as stand_ins:
        variables = {**stand_ins.environment, "USER_REPOSITORY_TYPE": "authelia"}
        with process(server.url, folder, **variables) as service:
            service.until_ready()
            # Then those of the users file are in storage.
            service.until(lambda: "kubernetes: ok" in service.get("/readyz?verbose")[1])
            yield server.url, service


@pytest.mark.parametrize("kind", FIELDS)
async def test_every_request_gets_its_reply_and_holds_nobody_up(place, kind):
    url, service = place
    async with attack(url, service.port, service.popen.pid, {"eyJ…": "authelia_at_ada"}) as attacker:
        seen = await attacker.of(kind)
    seen.assert_harmless()
    assert service.memory() < 400


def test_nothing_of_it_was_unexpected_and_storage_was_asked_for_no_such_name(place):
    _, service = place
    assert not [record["exception"] for record in service.records() if record["message"] == "unexpected exception"]
    assert "auth_service_kv_errors_total 0.0" in service.get("/metrics")[1]
