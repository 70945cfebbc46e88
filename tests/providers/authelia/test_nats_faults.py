# SPDX-License-Identifier: MIT
"""NATS and its buckets in trouble, and a watch that outlives it."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from app.domain.errors import ProviderUnavailable
from app.domain.tokens import Caller
from app.domain.users import Address
from app.observability.upstream_metrics import UpstreamTelemetry
from providers.authelia.storage.kv import BucketOptions
from providers.authelia.storage.nats_bucket import Buckets, NatsBucket
from tests.stand_ins.kubernetes import CONFIGMAP
from tests.support.authelia import populated
from tests.support.parts import caller
from tests.support.people import ada
from tests.support.ports import nats_server
from tests.support.raw_client import connect
from tests.support.waiting import PATIENCE, time_left, until

NEW = Address("new@example.org")
GRACE: Caller = caller("grace.hopper")


@pytest.fixture
def own_server():
    with nats_server() as server:
        yield server


@pytest_asyncio.fixture
async def apart(stage, own_server):
    """The stage on a server of its own."""
    stage.url = own_server.url
    client = await connect(own_server.url)
    await populated(client.jetstream())
    await client.close()
    return stage


async def _ready(provider) -> None:
    await until(lambda: not any(provider.readiness().values()))


@pytest.fixture
def without_jetstream(tmp_path):
    (tmp_path / "off.conf").write_text("accounts: {A: {users: [{user: u, password: p}]}}\nno_auth_user: u\n")
    return str(tmp_path / "off.conf")


async def test_no_call_of_storage_takes_longer_than_an_attempt_has(without_jetstream):
    with nats_server(0, "-c", without_jetstream) as server:
        silent, client = await connect(server.url), await connect(server.url)
        for subject in ("$JS.API.>", "$KV.>"):
            await silent.subscribe(subject)  # heard, and never answered
        await silent.flush()
        buckets = Buckets(client, 60.0, UpstreamTelemetry(CollectorRegistry()))
        options = BucketOptions("a-bucket")
        bucket = NatsBucket(buckets, options)
        calls = (
            buckets.ensure(options),
            bucket.get("a"),
            bucket.put("a", b"", 0),
            bucket.add("a", b"", 0),
            bucket.delete("a", 1),
            bucket.keys(),
            bucket.has_room(),
        )
        async with asyncio.timeout(45):
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [ProviderUnavailable] * len(calls)
        await client.close()
        await silent.close()


async def test_without_jetstream_it_is_not_ready_and_says_so(stage, without_jetstream):
    with nats_server(0, "-c", without_jetstream) as server:
        stage.url = server.url
        async with stage.replica() as provider:
            time_left(1)
            with pytest.raises(ProviderUnavailable):
                await provider.directory.by_subject(ada.subject)
            assert provider.readiness()["storage"] == (
                "not open: authelia-claims, authelia-email-otp, authelia-otp-ledger, authelia-signing-key, "
                "authelia-users"
            )


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("bucket", ["authelia-users", "authelia-email-otp", "authelia-otp-ledger"])
async def test_a_bucket_that_is_removed_is_made_again(js, stage, bucket):
    async with stage.replica() as provider:
        await _ready(provider)
        await js.delete_stream(f"KV_{bucket}")
        time_left(PATIENCE)
        await provider.verification.send_code(NEW)
        await provider.verification.redeem(NEW, stage.mail.code(NEW))
        with pytest.raises(Exception, match="user not found"):
            await provider.directory.by_email(NEW)
    assert (await js.key_value(bucket)) is not None


async def test_a_write_in_the_middle_of_a_restart_is_made_or_refused_cleanly(apart, own_server):
    async with apart.replica() as provider:
        await _ready(provider)
        time_left(PATIENCE)
        writes = [
            asyncio.create_task(provider.profiles.update_metadata(GRACE, {field: "x"}))
            for field in ("city", "bio", "name", "country")
        ]
        await asyncio.sleep(0)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {ProviderUnavailable}
        # Whatever was told to have succeeded is there.
        stored = (await provider.directory.by_username("grace.hopper")).user_metadata
        made = [outcome.user_metadata for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert all(metadata.items() <= stored.items() for metadata in made)


async def test_a_change_made_while_the_connection_was_away_reaches_the_users_file(apart, own_server):
    """The replica comes back later than the change is made."""
    async with apart.replica(reconnect=1.5) as provider:
        await _ready(provider)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        client = await connect(own_server.url)
        kv = await client.jetstream().key_value("authelia-users")
        record = json.loads((await kv.get("ada")).value)
        await kv.put("ada", json.dumps({**record, "email": "later@example.org"}).encode())
        await client.close()
        await until(lambda: apart.kubernetes.users["ada"]["email"] == "later@example.org")


async def test_after_a_reconnection_changes_are_heard_of_again(apart, own_server):
    async with apart.replica() as provider:
        await _ready(provider)
        runs = apart.kubernetes.count("get", CONFIGMAP)
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        await until(lambda: apart.kubernetes.count("get", CONFIGMAP) > runs)
        await _ready(provider)
        client = await connect(own_server.url)
        kv = await client.jetstream().key_value("authelia-users")
        record = json.loads((await kv.get("ada")).value)
        await kv.put("ada", json.dumps({**record, "email": "again@example.org"}).encode())
        await client.close()
        await until(lambda: apart.kubernetes.users["ada"]["email"] == "again@example.org")
