# SPDX-License-Identifier: MIT
"""The routers are FastStream's: they work in anybody's broker, in its test broker and in its own document."""

from __future__ import annotations

import io
import json
import re
import runpy
import subprocess
import sys

import pytest
from faststream.nats import NatsBroker, NatsRouter, TestNatsBroker

from app.domain.errors import UserNotFound
from app.domain.lookups import Lookups
from app.domain.ports import Absent
from app.domain.users import User
from app.settings import LogSettings
from routers import ROUTERS, aliases, lookups
from tests.docs.tables import TOP
from tests.support.logs import service_log

EMAIL_TO_SUB = "lfx.auth-service.email_to_sub"
NOT_FOUND = b'{"success":false,"error":"user not found"}'
INTERNAL = b'{"success":false,"error":"internal error"}'

APP = """
from faststream import FastStream
from faststream.nats import NatsBroker
from routers import emails
broker = NatsBroker()
broker.include_router(emails.router)
app = FastStream(broker)
"""


class Directory:
    """One user, or what goes wrong."""

    def __init__(self, user_id: str = "auth0|ada", error: Exception | None = None) -> None:
        self._user_id = user_id
        self._error = error

    async def by_email(self, address, **_):
        if self._error is not None:
            raise self._error
        if address != "ada@example.org":
            raise UserNotFound
        return User(self._user_id)


def broker_with(router, directory=None, url="nats://127.0.0.1:1") -> NatsBroker:
    broker = NatsBroker(url, logger=None)
    broker.include_router(router)
    broker.context.set_global("lookups", Lookups(directory or Directory(), None))
    return broker


async def ask(broker, body: bytes) -> bytes:
    return (await broker.request(body, EMAIL_TO_SUB, timeout=30)).body


def test_every_area_is_a_router_of_faststream():
    assert all(isinstance(router, NatsRouter) for router in ROUTERS)
    assert [len(router.subscribers) for router in ROUTERS] == [3, 2, 4, 3, 1, 2, 1]


async def test_a_router_works_in_anybodys_broker(nats):
    broker = broker_with(lookups.router.anew(), url=nats.url)
    async with broker:
        await broker.start()
        assert await ask(broker, b" Ada@Example.ORG ") == b"auth0|ada"
        assert await ask(broker, b"nobody@example.org") == NOT_FOUND
        assert await ask(broker, b"\xff@example.org") == NOT_FOUND


async def test_an_error_that_nobody_expects_is_answered_and_told_without_what_was_sent():
    out = io.StringIO()
    broken = broker_with(lookups.router.anew(), Directory(error=RuntimeError("about ada@example.org")))
    with service_log(LogSettings(), (), out):
        async with TestNatsBroker(broken) as broker:
            assert await ask(broker, b"ada@example.org") == INTERNAL
    (record,) = map(json.loads, out.getvalue().splitlines())
    assert (record["message"], record["level"]) == ("unexpected exception", "error")
    assert record["subject"] == "email_to_sub"
    assert "RuntimeError" in record["exception"]
    assert "ada@example.org" not in record["exception"]


async def test_what_a_provider_lacks_comes_before_everything_else():
    noted = []
    broker = NatsBroker("nats://127.0.0.1:1", logger=None)
    broker.include_router(aliases.router.anew())
    broker.context.set_global("aliases", Absent(UserNotFound, note=noted.append))
    async with TestNatsBroker(broker):
        reply = await broker.request(b"{", "lfx.auth-service.add_alias", timeout=30)
    assert reply.body == NOT_FOUND
    assert noted == [b"{"]


async def test_a_router_serves_the_broker_that_included_it_last():
    router = lookups.router.anew()
    first, second = broker_with(router), broker_with(router, Directory("auth0|second"))
    assert (first.subscribers, len(second.subscribers)) == ([], 3)
    async with TestNatsBroker(second):
        assert await ask(second, b"ada@example.org") == b"auth0|second"


async def test_two_brokers_serve_the_same_subjects_at_once():
    router = lookups.router.anew()
    first, second = broker_with(router), broker_with(router.anew(), Directory("auth0|second"))
    async with TestNatsBroker(first), TestNatsBroker(second):
        assert await ask(first, b"ada@example.org") == b"auth0|ada"
        assert await ask(second, b"ada@example.org") == b"auth0|second"


@pytest.mark.parametrize("prefix", ["", "stage."])
async def test_a_router_can_have_a_prefix(prefix):
    broker = NatsBroker("nats://127.0.0.1:1", logger=None)
    broker.include_router(lookups.router.anew(), prefix=prefix)
    broker.context.set_global("lookups", Lookups(Directory(), None))
    async with TestNatsBroker(broker):
        assert (await broker.request(b"ada@example.org", prefix + EMAIL_TO_SUB, timeout=30)).body == b"auth0|ada"


def test_faststreams_own_command_writes_a_document(tmp_path):
    (tmp_path / "included.py").write_text(APP)
    command = [sys.executable, "-m", "faststream", "docs", "gen", "included:app", "--app-dir", str(tmp_path)]
    subprocess.run([*command, "--out", "document.json"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    document = json.loads((tmp_path / "document.json").read_text())
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert "lfx.auth-service.user_emails.set_primary" in addresses
    assert set(document["components"]["schemas"]["SetPrimaryEmail"]["properties"]) == {"user", "email"}


async def test_the_example_for_contributors_works(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (TOP / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    path = tmp_path / "example.py"
    path.write_text(example)
    names = runpy.run_path(str(path))
    await names["test_an_address_leads_to_its_owner"]()
    names["OneUser"].by_email = Directory("auth0|other").by_email
    with pytest.raises(AssertionError):
        await names["test_an_address_leads_to_its_owner"]()
