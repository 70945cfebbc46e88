# SPDX-License-Identifier: MIT
"""A mebibyte of whatever costs time, to every subject of the real process: one reply each, and nobody else waits."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.stand_ins.auth0 import tenant_process
from tests.support.hostile import KINDS, attack
from tests.support.ports import nats_server
from tests.system.processes import process


@contextmanager
def _on_mock(url, folder):
    with process(url, folder) as service:
        service.until_ready()
        yield service, {"eyJ…": "ada-token"}


@contextmanager
def _on_auth0(url, folder):
    """Without impersonation, and with a code that is always wrong: the two ways in which texts were redacted whole."""
    with tenant_process(records=False) as tenant:
        variables = {**tenant.environment}
        variables.pop("AUTH0_LFX_V2_API_AUDIENCE", None)
        with process(url, folder, **variables) as service:
            service.until_ready()
            yield service, {"eyJ…": tenant.access_token("ada")}


@pytest.fixture(scope="module", params=[_on_mock, _on_auth0], ids=["mock", "auth0"])
def place(request, tmp_path_factory):
    with nats_server() as server, request.param(server.url, tmp_path_factory.mktemp("hostile")) as (service, known):
        yield server.url, service, known


@pytest.mark.parametrize("kind", KINDS)
async def test_every_request_gets_its_reply_and_holds_nobody_up(place, kind):
    url, service, known = place
    async with attack(url, service.port, service.popen.pid, known) as attacker:
        seen = await attacker.of(kind)
    seen.assert_harmless()
    assert service.memory() < 400


def test_nothing_of_it_was_unexpected(place):
    _, service, _ = place
    records = service.records()
    assert not [record for record in records if record["message"] == "unwritable record"]
    assert not [record["exception"] for record in records if record["message"] == "unexpected exception"]
    assert [record["message"] for record in records if len(str(record)) >= 20_000] == []
